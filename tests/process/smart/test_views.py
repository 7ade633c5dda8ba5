"""What the pages show is what was decided: every protocol, unknowns first, and every resource that it rests on."""

from __future__ import annotations

import json
import re
from functools import cache

import httpx2
import pytest

from cds_hooks.demo.stories import demo_patients
from cds_hooks.smart.views import criteria, overview, warning
from fhir_plugin.deciding.decide import Decision, decide
from fhir_plugin.deciding.recommend import recommend
from fhir_plugin.record.decoding import record_from_bundle
from mappings.schema.rules.protocols import Role
from tests.support.hooks.calls import knowledge
from tests.support.smart.fixtures import DAY, App
from tests.support.smart.pages import view_of

PATIENTS = [each.id for each in demo_patients(DAY)]


@cache
def decision_of(patient: str) -> Decision:
    (bundle,) = (each.bundle for each in demo_patients(DAY) if each.id == patient)
    return decide(record_from_bundle(bundle, None), knowledge(), as_of=DAY)


@pytest.mark.parametrize("patient", PATIENTS)
def test_every_protocol_stands_beside_the_others_as_it_was_decided(patient: str) -> None:
    decision, known = decision_of(patient), knowledge()
    page = criteria(decision, known, "")
    assert len(page.protocols) == len(known.protocols)
    titles = {protocol.title: name for name, protocol in known.protocols.items()}
    for place, title in enumerate(page.protocols):
        made = recommend(decision.findings, known.protocols[titles[title]], known)
        answers = {answer.treatment: answer for answer in made.treatments}
        for shown in page.treatments:
            answer = answers.get(shown.treatment)
            there = shown.standings[place]
            assert (there.standing if there else None) == (answer.standing.value if answer else None)
            told = {
                each.row.title: each.roles[place][:3]
                for each in (*shown.compared, *shown.noted, *shown.absent)
                if each.roles[place] is not None
            }
            decided = {
                known.criteria[each.finding.criterion].title: (
                    each.role.value,
                    each.finding.verdict.value,
                    known.cards.table.verdicts[each.role][each.finding.verdict.value],
                )
                for each in (answer.weighed if answer else ())
            }
            assert told == decided


@pytest.mark.parametrize("patient", PATIENTS)
def test_what_is_unknown_comes_first_and_says_what_would_settle_it(patient: str) -> None:
    for shown in criteria(decision_of(patient), knowledge(), "").treatments:
        verdicts = [each.row.verdict for each in shown.compared]
        unknown = verdicts.count("unknown")
        assert verdicts[:unknown] == ["unknown"] * unknown
        assert all(bool(each.row.settle) == (each.row.verdict == "unknown") for each in shown.compared)
        for each in shown.noted:
            assert each.row.verdict != "unknown"
            assert {role[0] for role in each.roles if role} == {Role.CONTEXT}
        for each in shown.absent:
            assert each.row.verdict == "not_met"
            assert each.row.role in (Role.CONTRAINDICATION, Role.HOLD, Role.CAUTION)


@pytest.mark.parametrize("patient", PATIENTS)
def test_every_reference_leads_to_the_resource_as_it_was_read(patient: str) -> None:
    decision = decision_of(patient)
    page = criteria(decision, knowledge(), "")
    named = {
        evidence.reference
        for shown in page.treatments
        for each in (*shown.compared, *shown.noted, *shown.absent)
        for evidence in each.row.evidence
    }
    assert named
    assert named == set(page.resources)
    for reference, text in page.resources.items():
        resource = json.loads(text)
        assert f"{resource['resourceType']}/{resource['id']}" == reference


def test_what_the_reader_came_for_comes_first() -> None:
    for treatment in ("ketamine", "tms"):
        page = criteria(decision_of("two-failures"), knowledge(), treatment)
        assert page.chosen == page.treatments[0].treatment == treatment
    own = knowledge().protocols[knowledge().protocol].focus
    assert criteria(decision_of("two-failures"), knowledge(), "no-such").chosen == own


def test_a_sign_of_suicide_is_said_on_the_first_page_and_only_where_there_is_one() -> None:
    own = knowledge().cards.safety[0]
    for patient in PATIENTS:
        finding = decision_of(patient).finding(own.criterion)
        met = finding is not None and finding.verdict.value == "met"
        assert bool(warning(decision_of(patient), knowledge())) == met
    said = warning(decision_of("acute-crisis"), knowledge())
    assert said == own.summary.format(signals="PHQ-9 today, C-SSRS screener yesterday")


def test_a_patient_who_is_well_has_no_red_cross_among_the_criteria() -> None:
    decision, known = decision_of("doing-well"), knowledge()
    assert overview(decision, known).findings.course.well
    rows = [
        row
        for treatment in overview(decision, known).findings.treatments
        for row in treatment.rows
        if row.verdict == "not_met"
    ]
    assert rows
    assert {row.weight for row in rows} == {"neither"}
    ill = overview(decision_of("acute-crisis"), known).findings
    assert not ill.course.well


def test_what_got_worse_comes_first() -> None:
    alerts = overview(decision_of("acute-crisis"), knowledge()).findings.course.alerts
    assert [(alert.kind, alert.tone) for alert in alerts] == [("suicide", "bad"), ("suicide", "bad"), ("worse", "bad")]


@pytest.mark.parametrize("patient", PATIENTS)
def test_the_overview_says_where_every_treatment_stands_and_the_last_of_every_score(patient: str) -> None:
    decision, known = decision_of(patient), knowledge()
    page = overview(decision, known)
    answers = {each.treatment: each.standing.value for each in decision.recommendation.treatments}
    assert {shown.title: shown.standing for shown in page.standings} == {
        known.cards.treatments[name]: standing for name, standing in answers.items()
    }
    made = decision.recommendation
    assert page.asks == tuple(ask.words for ask in (*made.asks, *made.questions))
    series = {
        form.instrument.short: decision.facts.scores.series(name) for name, form in known.instruments.forms.items()
    }
    latest = {short: each[-1] for short, each in series.items() if each}
    assert {each.short: (each.total, each.severity, each.source) for each in page.latest} == {
        short: (each.total, each.severity, each.reference) for short, each in latest.items()
    }


@pytest.mark.server
def test_the_pages_say_what_the_views_do(app: App, visitor: httpx2.Client) -> None:
    view = view_of(visitor.get(app.launch("acute-crisis")))
    first = visitor.get(f"{view}/overview").text.partition("<main")[2]
    said = warning(decision_of("acute-crisis"), knowledge())
    assert said in first
    told = overview(decision_of("acute-crisis"), knowledge()).findings.course
    places = [first.index(alert.text) for alert in told.alerts] + [first.index(told.trends[0].changes[0])]
    assert places == sorted(places)
    assert places[-1] < first.index('id="symptoms"')
    assert first.index(said) < first.index("<h1")
    page = visitor.get(f"{view}/criteria?treatment=tms").text
    assert re.findall(r'<details class="box treatment"\s+(open)?', page)[0] == "open"
    shown = criteria(decision_of("acute-crisis"), knowledge(), "tms")
    for title in shown.protocols:
        assert title in page
    for reference in shown.resources:
        assert f"As it was read: {reference}" in page
    dossier = visitor.get(f"{view}/dossier?treatment=esketamine").text
    assert "Prior authorization dossier: Esketamine" in dossier
