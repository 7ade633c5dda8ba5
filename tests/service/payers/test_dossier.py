"""The dossier: what is missing first, every statement with its record, and nothing of the record as markup."""

import json
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from cds_hooks.cli.main import app
from cds_hooks.demo.stories import demo_patients
from cds_hooks.dossier.markdown import dossier_markdown
from cds_hooks.dossier.page import dossier_html
from cds_hooks.dossier.sections import sections
from fhir_plugin.deciding.decide import decide
from fhir_plugin.payers.dossier import Dossier, build_dossier
from fhir_plugin.record.decoding import record_from_bundle
from mappings.schema.load import Knowledge

DAY = date(2026, 11, 21)
PATIENTS = {patient.id: patient.bundle for patient in demo_patients(DAY)}
HOSTILE = (
    "</code><img src=x onerror=alert(1)><script>alert(2)</script> `|` [a](javascript:b) \n# Big\n![i](http://x) "
    "&lt;b&gt; \u202e"
)
TAGS = {"h1", "h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "code"}
PAGE_TAGS = {*TAGS, "html", "head", "meta", "title", "style", "body", "main", "div", "section", "span"}


def made(bundle: bytes, knowledge: Knowledge, treatment: str = "tms", as_of: date = DAY) -> Dossier:
    decision = decide(record_from_bundle(bundle, None), knowledge, as_of=as_of)
    return build_dossier(decision, knowledge, treatment)


class Tags(HTMLParser):
    """Every tag and attribute of a page, and its words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.words += data


def rendered(markdown: str) -> Tags:
    """The Markdown as a client shows it that lets raw HTML through."""
    return Tags(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))


@pytest.mark.parametrize("treatment", ["tms", "esketamine"])
@pytest.mark.parametrize("name", PATIENTS)
def test_every_patient_has_a_dossier_in_every_format(name: str, treatment: str, knowledge: Knowledge) -> None:
    dossier = made(PATIENTS[name], knowledge, treatment)
    shown = sections(dossier, knowledge)
    assert shown[0].key == "gaps"
    assert {section.key for section in shown} == set(knowledge.dossier.sections)
    for section in shown:
        assert all(len(row) == len(section.header) for row in section.rows), section.key
    text, page = dossier_markdown(dossier, knowledge), Tags(dossier_html(dossier, knowledge))
    assert rendered(text).tags <= TAGS
    assert page.tags <= PAGE_TAGS
    for gap in dossier.gaps:
        assert gap in text
        assert gap in page.words
    assert "covered" not in text.lower()


def test_what_a_prior_authorization_asks_for_is_there(knowledge: Knowledge) -> None:
    text = dossier_markdown(made(PATIENTS["two-failures"], knowledge), knowledge)
    for wanted in (
        "`F33.1`",
        "| sertraline | SSRI | 2025-09-13 | 2026-01-09 | 150 (minimum 50, MGH-ATRQ) | 118 | met |",
        "failed (documented)",
        "| 2026-11-15 | PHQ-9 | 16 | moderately severe | no | `QuestionnaireResponse/two-failures-phq-5` |",
        "`Procedure/two-failures-cbt-8`",
        "`EX-448812`",
        "6 met, 0 not met, 2 unknown.",
        "Implant or metal in the head or neck | unknown",
        "summary by others",
    ):
        assert wanted in text, wanted


def test_what_payers_commonly_ask_for_is_a_gap_where_the_policy_does_not_name_it(knowledge: Knowledge) -> None:
    gaps = made(PATIENTS["two-failures"], knowledge).gaps
    assert "Informed consent (commonly asked for): Attach the signed consent." in gaps
    generic = made(PATIENTS["nearly-empty"], knowledge).gaps
    assert "Informed consent: Attach the signed consent." in generic
    assert not [gap for gap in generic if "commonly" in gap]
    cigna = made(PATIENTS["partial-response-to-ketamine"], knowledge, "esketamine").gaps
    assert [gap for gap in cigna if gap.startswith("Prescription monitoring programme checked")] == [
        "Prescription monitoring programme checked: Check it and note the date."
    ]


def test_without_a_coverage_the_generic_checklist_is_used_and_the_gap_is_named(knowledge: Knowledge) -> None:
    dossier = made(PATIENTS["nearly-empty"], knowledge)
    assert [each.policy for each in dossier.checklists] == ["generic.tms"]
    assert knowledge.dossier.gaps["no_coverage"] in dossier.gaps


def test_a_policy_past_its_review_says_so_in_every_format(knowledge: Knowledge) -> None:
    dossier = made(PATIENTS["two-failures"], knowledge, as_of=date(2027, 2, 28))
    said = "The review of this policy was due on 2027-02-28"
    assert said in dossier_markdown(dossier, knowledge)
    assert said in dossier_html(dossier, knowledge)
    assert said not in dossier_markdown(made(PATIENTS["two-failures"], knowledge), knowledge)


_KEPT = {
    "resourceType",
    "reference",
    "system",
    "url",
    "status",
    "intent",
    "unit",
    "code",
    "linkId",
    "definition",
    "use",
}
"""Members whose change would only make the resource another one, or none that is read."""


def poisoned(value: Any, key: str = "") -> Any:
    """The same JSON with every text, name, number of a member and display made hostile."""
    if isinstance(value, dict):
        return {name: poisoned(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [poisoned(each, key) for each in value]
    if not isinstance(value, str) or key in _KEPT or key == "id" or value[:2] in ("19", "20"):
        return value
    return f"{value} {HOSTILE}"


@pytest.mark.parametrize("treatment", ["tms", "esketamine"])
@pytest.mark.parametrize("name", ["two-failures", "partial-response-to-tms", "nearly-empty", "cochlear-implant"])
def test_a_hostile_record_is_shown_as_text(name: str, treatment: str, knowledge: Knowledge) -> None:
    dossier = made(json.dumps(poisoned(json.loads(PATIENTS[name]))).encode(), knowledge, treatment)
    text, page = rendered(dossier_markdown(dossier, knowledge)), Tags(dossier_html(dossier, knowledge))
    assert "onerror" in text.words
    assert "<script>alert(2)</script>" in page.words
    assert text.tags <= TAGS
    assert text.attributes == set()
    assert page.tags <= PAGE_TAGS
    assert not {each for each in page.attributes if each.startswith("on") or each in ("href", "src")}


def test_a_patient_whose_name_is_no_name_is_no_obstacle(knowledge: Knowledge) -> None:
    bundle = json.loads(PATIENTS["two-failures"])
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "Patient":
            entry["resource"] |= {
                "name": "Jane",
                "identifier": [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": "1"}],
            }
    person = made(json.dumps(bundle).encode(), knowledge).person
    assert (person.name, person.identifiers) == ("", ())


def test_the_page_needs_nothing_from_anywhere(knowledge: Knowledge) -> None:
    page = dossier_html(made(PATIENTS["two-failures"], knowledge), knowledge)
    assert "default-src 'none'" in page
    assert "url(" not in page
    assert "@media print" in page


@pytest.mark.parametrize(("output", "start"), [("md", "# Prior"), ("html", "<!doctype html>"), ("json", "{")])
def test_the_command_prints_each_format(output: str, start: str, tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_bytes(PATIENTS["two-failures"])
    words = ["dossier", "--bundle", str(file), "--for", "tms", "--as-of", str(DAY), "--format", output]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert done.output.startswith(start)
    if output == "json":
        assert json.loads(done.output)["checklists"][0]["policy"] == "ambetter.tms"


def test_a_payer_may_be_chosen_by_hand(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_bytes(PATIENTS["two-failures"])
    done = CliRunner().invoke(app, ["dossier", "--bundle", str(file), "--for", "esketamine", "--payer", "cigna"])
    assert "Checklist: Cigna, esketamine" in done.output
    assert "chosen by hand" in done.output
