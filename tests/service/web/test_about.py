"""What the service tells of itself: the same as a page and as JSON, whole, escaped, and true of what is applied."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from mappings.schema.load import Knowledge, load_knowledge
from mappings.schema.texts.about import ATTRIBUTES
from tests.support.shipped import shipped

DAY = date(2026, 12, 1)
HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
SITE = """
reviewed: 2026-05-01
review_due: 2027-05-01
answers_for_it: committee <script>alert(1)</script>
sources:
  committee: {citation: Minutes of May, kind: this product, grade: not graded, read: in full, supports: Our own limits.}
criteria:
  blood_pressure.hold:
    limits.systolic: {value: 151, source: committee, verification: design}
"""


def client(knowledge: Knowledge, day: date = DAY) -> TestClient:
    return TestClient(create_app(Settings(), knowledge, today=lambda: day))


@pytest.fixture(scope="module")
def service() -> TestClient:
    return client(shipped())


def content(service: TestClient, path: str = "/about") -> dict[str, Any]:
    answer = service.get(path, headers={"Accept": "application/json"})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("/about", HTML["Accept"], "text/html"),
        ("/about", "*/*", "text/html"),
        ("/about", "application/json", "application/json"),
        ("/about.json", HTML["Accept"], "application/json"),
        ("/about?format=json", HTML["Accept"], "application/json"),
        ("/about?format=html", "application/json", "text/html"),
        ("/about/combination-therapy-order-sign", HTML["Accept"], "text/html"),
        ("/about/combination-therapy-order-sign.json", "*/*", "application/json"),
    ],
)
def test_it_is_a_page_or_json_as_asked(service: TestClient, path: str, accept: str, kind: str) -> None:
    answer = service.get(path, headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    assert "Accept" in answer.headers["vary"]
    if kind == "text/html":
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "<script" not in answer.text


def test_a_service_that_is_not_offered_is_not_told_of(service: TestClient) -> None:
    assert service.get("/about/nothing").status_code == 404


def test_the_attributes_that_us_rules_ask_for_are_all_there(service: TestClient) -> None:
    told = content(service)["attributes"]
    assert [each["key"] for each in told] == list(ATTRIBUTES)
    assert len(told) == 13
    assert all(each["says"] for each in told)
    used = {each["key"]: each["used"] for each in told if each["used"] is not None}
    assert used["date_of_birth"] == ("person.age" in {f for c in shipped().criteria.values() for f in c.facts})
    assert not used["sex"]


def test_every_rule_number_source_conflict_and_claim_is_told(service: TestClient) -> None:
    told, knowledge = content(service), shipped()
    assert {rule["id"] for rule in told["rules"]} == set(knowledge.criteria)
    for rule in told["rules"]:
        numbers = {figure["name"] for figure in rule["figures"]}
        assert numbers == set(knowledge.criteria[rule["id"]].numbers)
        for number in knowledge.criteria[rule["id"]].numbers.values():
            assert f"{number:g}" in rule["in_words"]
    assert len(told["conflicts"]) == len(knowledge.conflicts)
    assert len(told["claims"]) == len(knowledge.claims.claims)
    assert set(told["sources"]) == set(knowledge.sources)
    page = service.get("/about", headers=HTML).text
    for conflict in knowledge.conflicts.values():
        assert conflict.topic in page


@pytest.mark.parametrize("name", [each.id for each in shipped().services.services])
def test_a_service_tells_its_own_rules_and_inputs(service: TestClient, name: str) -> None:
    told, whole = content(service, f"/about/{name}"), content(service)
    assert told["service"]["id"] == name
    rules = {rule["id"] for rule in told["rules"]}
    assert rules
    assert rules <= {rule["id"] for rule in whole["rules"]}
    assert set(told["inputs"]) == shipped().inputs_for(rules)
    assert service.get(f"/about/{name}", headers=HTML).status_code == 200


def test_what_a_site_decided_is_marked_and_escaped(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    local = client(load_knowledge(site=path))
    (rule,) = [each for each in content(local)["rules"] if each["id"] == "blood_pressure.hold"]
    assert {each["value"]: each["local"] for each in rule["figures"]}["151 mm[Hg]"]
    page = local.get("/about", headers=HTML).text
    assert "this site's own" in page.replace("&#39;", "'")
    assert "<script>alert" not in page


def test_a_review_that_is_overdue_is_marked() -> None:
    late = client(shipped(), max(each.review_due for each in shipped().criteria.values()))
    told = content(late)
    assert all(rule["overdue"] for rule in told["rules"])
    assert "review overdue" in late.get("/about", headers=HTML).text.lower()
    assert not any(each["overdue"] for each in content(client(shipped()))["dates"])
    parts = {each["name"] for each in told["dates"]}
    assert {"criteria/age.adult", "protocols/sequenced", "claims", "laboratory", "treatments/tms"} <= parts
