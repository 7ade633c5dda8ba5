"""Discovery, and the prefetch templates that it publishes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote

import msgspec
import pytest

from cds_hooks.application.discovery import discover
from fhir_plugin.record.inputs import PAGE_SIZE
from mappings.schema.service.servers import DEFAULT_HABITS
from tests.support.conformance.ehr import SERVICES, cards_of, post, request
from tests.support.hooks.calls import assert_nothing_empty, client, knowledge

MEMBERS = {"hook", "title", "description", "id", "prefetch", "usageRequirements", "version", "extension"}
STANDARD_HOOKS = {"patient-view", "order-select", "order-sign", "encounter-start"}


def services() -> list[dict[str, Any]]:
    answer = client().get("/cds-services")
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == "application/json"
    body = answer.json()
    assert set(body) == {"services"}
    found: list[dict[str, Any]] = body["services"]
    return found


def templates() -> list[tuple[str, str]]:
    return [item for service in services() for item in service["prefetch"].items()]


def test_the_document_is_an_object_with_an_array_of_services() -> None:
    assert isinstance(services(), list)
    assert services()


@pytest.mark.parametrize("member", ["hook", "description", "id", "title", "usageRequirements", "version"])
def test_a_member_of_every_service_is_a_string(member: str) -> None:
    assert all(isinstance(service[member], str) for service in services())


def test_nothing_is_null_or_empty() -> None:
    assert_nothing_empty(client().get("/cds-services").json())


def test_ids_are_path_segments_each_for_one_hook() -> None:
    ids = [service["id"] for service in services()]
    assert all(re.fullmatch(r"[A-Za-z0-9._~-]+", each) for each in ids)
    assert len(set(ids)) == len(ids)


def test_the_prefetch_is_an_object_of_strings() -> None:
    assert templates()
    assert all(isinstance(key, str) and isinstance(template, str) for key, template in templates())


def test_the_version_is_that_of_the_specification() -> None:
    assert {service["version"] for service in services()} == {"2.0.1"}


def test_only_members_of_the_specification_stand_in_a_service() -> None:
    assert all(set(service) <= MEMBERS for service in services())


def test_every_listed_service_answers_its_hook_and_no_other_is_listed() -> None:
    assert {f"/cds-services/{each['id']}": each["hook"] for each in services()} == SERVICES
    assert set(SERVICES.values()) <= STANDARD_HOOKS
    for url in SERVICES:
        assert post(url, request(url)).status_code == 200


@pytest.mark.parametrize("headers", [{"Accept": "*/*"}, {"Accept": "text/html"}, {"Authorization": "Bearer x.y.z"}])
def test_discovery_copes_with_headers_that_it_does_not_need(headers: dict[str, str]) -> None:
    assert client().get("/cds-services", headers=headers).json() == {"services": services()}


def test_without_services_the_document_stands_with_an_empty_array() -> None:
    offered = knowledge().services
    none = replace(knowledge(), services=offered.model_copy(update={"services": ()}))
    assert msgspec.json.encode(discover(none)) == b'{"services":[]}'


def test_a_template_is_a_relative_read_or_search_of_a_type() -> None:
    for _, template in templates():
        assert re.fullmatch(r"[A-Z]\w+(/[^/?$]+|\?[^?$]+)", template)


def test_tokens_are_context_fields_that_every_hook_lets_be_tokens() -> None:
    for _, template in templates():
        tokens = re.findall(r"{{(.*?)}}", template)
        assert tokens == ["context.patientId"]
        assert template.count("{{") == template.count("}}") == 1


def test_searches_are_by_token_with_equality_and_nothing_else() -> None:
    for _, template in templates():
        _, _, query = template.partition("?")
        parameters = [pair.partition("=")[0] for pair in query.split("&") if pair]
        assert set(parameters) <= {"patient", "code", "status", "_count", "_sort"}
        assert not re.search(r":(?!//)", query.replace("http://", "").replace("https://", ""))
        assert "_include" not in template


def test_every_search_says_how_many_it_wants_and_the_newest_come_first_where_they_decide() -> None:
    for key, template in templates():
        assert ("_count" in template) is ("?" in template)
        assert template.count("_count=200") == template.count("_count")
        sort = {"observations": "-date", "questionnaireResponses": "-authored"}.get(key)
        assert ("_sort=" in template) is (sort is not None)
        assert sort is None or template.endswith(f"&_sort={sort}")
    assert DEFAULT_HABITS.page_size == PAGE_SIZE, "the service's own queries ask for as many"


def test_a_template_survives_being_encoded_by_the_client() -> None:
    for _, template in templates():
        assert unquote(quote(template, safe="/?=&{}")) == template
        assert " " not in template


def test_every_key_is_read_by_the_rules_and_none_is_asked_for_twice() -> None:
    offered = {each.id: each for each in knowledge().services.services}
    for service in services():
        assert set(service["prefetch"]) == set(knowledge().inputs_of(offered[service["id"]]))
        assert len(set(service["prefetch"].values())) == len(service["prefetch"])


def test_what_was_not_asked_for_is_passed_over() -> None:
    made = request()
    plain = cards_of(post("/cds-services/combination-therapy-order-sign", made))
    made["prefetch"] |= {"coverage-of-another": {"resourceType": "Bundle", "entry": []}, "x": 3}
    assert cards_of(post("/cds-services/combination-therapy-order-sign", made)) == plain
