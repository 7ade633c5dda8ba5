"""Forms that hold several instruments, under any name; linkIds as public servers write them; a site's own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_plugin.errors import WrongQuestionnaire
from fhir_plugin.facts.fact import Presence
from fhir_plugin.facts.scores.read import read_scores
from fhir_plugin.record.decoding import record_from_bundle
from fhir_plugin.record.resources import Questionnaire, QuestionnaireResponse
from fhir_plugin.scales.scoring import Score, score_all
from mappings.schema.base.entries import KnowledgeError
from mappings.schema.instruments import Instruments
from mappings.schema.load import with_site
from tests.support.scores import forms
from tests.support.scores.forms import number
from tests.support.shipped import shipped

INSTRUMENTS = shipped().instruments
PHQ9 = [item.code or "" for item in INSTRUMENTS["phq9"].items]
GAD7 = [item.code or "" for item in INSTRUMENTS["gad7"].items]
CSSRS = [item.code or "" for item in INSTRUMENTS["cssrs_screener"].items]
YES = {"valueCoding": {"system": "http://loinc.org", "code": "LA33-6"}}


def form(name: str, items: Iterable[tuple[str, dict[str, Any] | None]], **more: Any) -> dict[str, Any]:
    given = [{"linkId": link, "answer": [answer] if answer else []} for link, answer in items]
    return forms.form(name, given, **more)


def scores(body: dict[str, Any], instruments: Instruments = INSTRUMENTS, asked: Any = None) -> dict[str, Score]:
    questionnaire = msgspec.convert(asked, Questionnaire) if asked else None
    response = msgspec.json.decode(json.dumps(body), type=QuestionnaireResponse)
    return {found.instrument: found for found in score_all(response, instruments, questionnaire)}


def signal(*resources: dict[str, Any]) -> Presence:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": body} for body in resources]}
    history = read_scores(record_from_bundle(json.dumps(bundle).encode()), INSTRUMENTS, date(2026, 11, 27))
    value = history.facts()["suicide.signal"].value
    assert isinstance(value, Presence)
    return value


PHQ9_HIGH = [(code, number(2)) for code in PHQ9[:8]] + [(PHQ9[8], number(3))]
NAMES = ["phq2phq9", "phq9-gad7", "intake", "", "phq-2", "gad7", "cssrs-and-more", "44249-1", "madrs", "PHQ2"]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_takes_the_ninth_item_away(name: str) -> None:
    found = scores(form(name, PHQ9_HIGH))
    assert (found["phq9"].total, found["phq9"].suicide_positive) == (19, True)
    assert signal({**form(name, PHQ9_HIGH), "subject": {"reference": "Patient/p"}}).current


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shuffled", [False, True])
def test_every_instrument_in_a_form_is_scored(name: str, shuffled: bool) -> None:
    items = [*PHQ9_HIGH, *[(code, number(1)) for code in GAD7], *[(code, YES) for code in CSSRS]]
    found = scores(form(name, items[::-1] if shuffled else items))
    assert (found["phq9"].total, found["gad7"].total, found["cssrs_screener"].severity) == (19, 7, "high")


def test_a_short_form_is_scored_beside_the_long_one_only_where_the_form_is_named_after_it() -> None:
    assert set(scores(form("phq2phq9", PHQ9_HIGH))) == {"phq9", "phq2"}
    assert set(scores(form("intake", PHQ9_HIGH))) == {"phq9"}


def test_the_first_step_alone_is_the_short_form() -> None:
    found = scores(form("phq2phq9", PHQ9_HIGH[:2]))
    assert {name: one.total for name, one in found.items()} == {"phq2": 4}


def test_a_form_that_was_begun_still_tells_of_suicide() -> None:
    found = scores(form("intake", [(PHQ9[0], number(0)), (PHQ9[8], number(1)), *[(code, number(1)) for code in GAD7]]))
    assert (found["gad7"].total, found["phq9"].total, found["phq9"].suicide_positive) == (7, None, True)


def test_an_item_or_two_of_an_instrument_do_not_make_it() -> None:
    assert set(scores(form("intake", [*PHQ9_HIGH, (GAD7[0], number(1))]))) == {"phq9"}


def test_what_is_shown_and_not_answered_is_no_assessment_beside_one_that_is() -> None:
    assert set(scores(form("intake", [*PHQ9_HIGH, *[(code, None) for code in GAD7]]))) == {"phq9"}


def test_a_named_instrument_whose_items_are_unknown_is_there_and_not_read() -> None:
    unknown = [(f"x{place}", number(1)) for place in range(9)]
    found = scores(form("phq9-gad7", [*[(code, number(1)) for code in GAD7], *unknown]))
    assert found["gad7"].total == 7
    assert found["phq9"].flags == ("linkid_map_required",)
    assert signal({**form("phq9-gad7", unknown), "subject": {"reference": "Patient/p"}}).possible


@pytest.mark.parametrize(
    ("instrument", "style"),
    [
        *[("phq9", style) for style in ("PHQ9.{n}", "phq9-{n}", "phq9-q{n}", "phq-9_{n}", "PHQ9_Q{n}", "phq9.item{n}")],
        *[("phq9", style) for style in ("phq9-0{n}", "/44249-1/{c}", "a/b/{c}", "#{c}", "PHQ-9.{n}")],
        *[("gad7", style) for style in ("gad7_{n}", "GAD-7.{n}", "gad7.q{n}", "/69737-5/{c}")],
        *[("audit_c", style) for style in ("auditc-{n}", "audit-c.{n}", "AUDITC_q{n}")],
        *[("madrs", style) for style in ("MADRS.{n}", "madrs_q{n}")],
    ],
)
def test_public_ways_of_writing_a_linkid(instrument: str, style: str) -> None:
    items = INSTRUMENTS[instrument].items
    links = [style.format(n=item.number, c=item.code) for item in items]
    found = scores(form("intake", [(link, number(1)) for link in links]))
    assert found[instrument].total == len(items)


def test_a_style_that_several_questionnaires_share_counts_only_under_the_name() -> None:
    items = [(f"PHQ.{place}", number(1)) for place in range(1, 11)]
    assert scores(form("mii-qst-pro-phq-9", items))["phq9"].total == 9
    with pytest.raises(WrongQuestionnaire):
        scores(form("mii-qst-pro-phq-15", items))


def test_the_questions_tell_the_items_where_the_linkids_do_not() -> None:
    wordings = [item.wording for item in INSTRUMENTS["phq9"].items]
    body = form("intake", [])
    body["item"] = [
        {"linkId": f"8f-{place}", "text": f"{place}. {words}?", "answer": [number(1)]}
        for place, words in enumerate(wordings, 1)
    ]
    assert scores(body)["phq9"].total == 9
    asked = {"item": [{"linkId": f"8f-{place}", "text": words} for place, words in enumerate(wordings, 1)]}
    for item in body["item"]:
        del item["text"]
    assert scores(body, asked=asked)["phq9"].total == 9


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ({"valueString": "Nearly everyday"}, 3),
        ({"valueString": "Several days (1)"}, 1),
        ({"valueString": "2 - More than half the days"}, 2),
        ({"valueString": "2 - Several days"}, None),
        ({"valueCoding": {"system": "http://loinc.org/vs/LL358-3", "code": "2"}}, 2),
        ({"valueCoding": {"system": "https://loinc.org/", "code": "LA6571-9"}}, 3),
        ({"valueCoding": {"system": "urn:oid:2.16.840.1.113883.6.1", "code": "LA6571-9"}}, 3),
        ({"valueCoding": {"system": "http://example.org/vs/LL358-3", "code": "2"}}, None),
        ({"valueCoding": {"system": "urn:x", "code": "b", "display": "NEARLY EVERY DAY"}}, 3),
    ],
)
def test_public_ways_of_writing_an_answer(answer: dict[str, Any], value: int | None) -> None:
    found = scores(form("intake", [*PHQ9_HIGH[:8], (PHQ9[8], answer)]))["phq9"]
    assert found.items[PHQ9[8]] == value


def site(folder: Path, questionnaires: str) -> Path:
    path = folder / "site.yaml"
    head = "reviewed: 2026-11-01\nreview_due: 2027-11-01\nanswers_for_it: the committee\n"
    path.write_text(f"{head}questionnaires:\n{questionnaires}\n")
    return path


def test_a_sites_own_questionnaire_is_read_by_its_setting(tmp_path: Path) -> None:
    setting = site(tmp_path, '  phq9: [{questionnaire: intake-2026, style: "mood{number}", total: mood-sum}]')
    items = [*[(f"mood{place}", number(1)) for place in range(1, 10)], ("mood-sum", number(11))]
    body = form("intake-2026", [*items, *[(code, number(1)) for code in GAD7]])
    found = scores(body, with_site(shipped(), setting).instruments)
    assert (found["phq9"].total, found["phq9"].stored_total, found["gad7"].total) == (9, 11, 7)
    assert "phq9" not in scores(body)


@pytest.mark.parametrize("wrong", ['  phq99: [{style: "q{number}"}]', "  phq9: [{style: q}]"])
def test_a_setting_that_can_mean_no_item_does_not_load(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(KnowledgeError, match=r"site\.yaml: questionnaires"):
        with_site(shipped(), site(tmp_path, wrong))


@given(
    st.text(max_size=12),
    st.permutations(PHQ9_HIGH),
    st.lists(st.tuples(st.sampled_from([*GAD7, *CSSRS, "x", "y.1"]), st.sampled_from([number(1), YES, None]))),
)
def test_nothing_around_it_hides_a_positive_suicide_item(name: str, phq9: Any, others: Any) -> None:
    found = scores(form(name, [*others, *phq9]))
    assert found["phq9"].suicide_positive is True
