"""A card that was overridden stays quiet: for the patient, the rule and the person, while the facts stand."""

from __future__ import annotations

from datetime import date
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from cds_hooks.cards.builder import CardBasis
from cds_hooks.memory.keys import KeyedHash
from cds_hooks.memory.quiet import (
    DAY_MS,
    MOST_QUIET,
    CardKey,
    FeedbackRecord,
    QuietCards,
    fingerprint,
    is_person,
    may_be_quiet,
    role_of,
)
from cds_hooks.protocol.responses import Card, CardSource
from fhir_plugin.deciding.finding import Finding, Verdict
from fhir_plugin.facts.fact import Evidence
from fhir_plugin.record.dates import DaySpan
from tests.support.hooks.calls import (
    ESKETAMINE,
    KETAMINE,
    ORDER_SELECT,
    ORDER_SIGN,
    PATIENT_VIEW,
    body,
    knowledge,
    order,
)
from tests.support.memory.service import accepted, call, overridden, remembering, tell, with_tables

CRISIS, READY, HYPERTENSION = "acute-crisis", "two-failures", "uncontrolled-hypertension"
SAFETY = "safety:suicidality.current"


@pytest.fixture
def service(tmp_path: Path) -> Any:
    with remembering(with_tables(tmp_path / "memory.sqlite")) as found:
        yield found


def told(service: TestClient, patient: str = READY, **changes: Any) -> list[dict[str, Any]]:
    """The card with the criteria when the chart is opened, if it is shown."""
    return [card for card in call(service, PATIENT_VIEW, patient, **changes) if card["summary"].startswith("Ketamine")]


def test_an_overridden_card_is_not_repeated(service: TestClient) -> None:
    (card,) = told(service, READY)
    assert len(told(service, READY)) == 1
    tell(service, PATIENT_VIEW, overridden(card["uuid"]))
    assert told(service, READY) == []


@pytest.mark.parametrize("reason", [None, "other"])
def test_an_override_that_gives_nothing_to_go_by_keeps_nothing_quiet(service: TestClient, reason: str | None) -> None:
    (card,) = told(service, READY)
    tell(service, PATIENT_VIEW, overridden(card["uuid"], reason))
    assert len(told(service, READY)) == 1


@pytest.mark.parametrize("user", ["Practitioner/2", "PractitionerRole/1", "Practitioner/", "Jane Roe", ""])
def test_another_person_and_one_who_is_not_named_are_told(service: TestClient, user: str) -> None:
    context = body(PATIENT_VIEW, READY)["context"]
    (card,) = told(service, READY)
    tell(service, PATIENT_VIEW, overridden(card["uuid"]))
    assert told(service, READY) == []
    assert len(told(service, READY, context=context | {"userId": user})) == 1


@pytest.mark.parametrize("user", ["Practitioner/", "Jane Roe", ""])
def test_who_is_not_named_hides_nothing_from_anybody(service: TestClient, user: str) -> None:
    nameless = body(PATIENT_VIEW, READY)["context"] | {"userId": user}
    (card,) = told(service, READY, context=nameless)
    tell(service, PATIENT_VIEW, overridden(card["uuid"]))
    assert len(told(service, READY, context=nameless)) == 1
    assert len(told(service, READY)) == 1


def test_a_suicide_card_is_never_hidden_from_a_colleague(service: TestClient) -> None:
    """Each of two colleagues considers it for herself; a new questionnaire is told to both again."""
    request = body(PATIENT_VIEW, CRISIS)
    one, other = (request["context"] | {"userId": f"Practitioner/{number}"} for number in (1, 2))
    for context in (one, other):
        card = call(service, PATIENT_VIEW, CRISIS, context=context)[0]
        assert card["indicator"] == "critical"
        tell(service, PATIENT_VIEW, overridden(card["uuid"]))
        assert not is_critical(call(service, PATIENT_VIEW, CRISIS, context=context))
        assert is_critical(call(service, PATIENT_VIEW, CRISIS, context=other)) == (context is one)
    renamed = _with_new_response_ids(request["prefetch"])
    for context in (one, other):
        assert is_critical(call(service, PATIENT_VIEW, CRISIS, context=context, prefetch=renamed))


def is_critical(cards: list[dict[str, Any]]) -> bool:
    return any(card["indicator"] == "critical" for card in cards)


def test_another_patient_another_role_and_another_server_are_told(service: TestClient) -> None:
    request = body(PATIENT_VIEW, READY)
    (card,) = told(service, READY)
    tell(service, PATIENT_VIEW, overridden(card["uuid"]))
    other_role = request["context"] | {"userId": "PractitionerRole/1"}
    assert len(told(service, READY, context=other_role)) == 1
    assert len(told(service, READY, fhirServer="https://other.example/fhir")) == 1
    assert told(service, "trauma")


def test_the_card_returns_when_a_fact_changes(service: TestClient) -> None:
    request = body(PATIENT_VIEW, READY)
    (card,) = told(service, READY)
    tell(service, PATIENT_VIEW, overridden(card["uuid"]))
    pressures = {"resourceType": "Bundle", "entry": []}
    assert len(told(service, READY, prefetch=request["prefetch"] | {"observations": pressures})) == 1


def test_a_change_of_mind_ends_the_quiet(service: TestClient) -> None:
    (card,) = told(service, READY)
    tell(service, PATIENT_VIEW, overridden(card["uuid"]))
    tell(service, PATIENT_VIEW, accepted(card["uuid"], at="2026-01-15T10:05:00Z"))
    assert len(told(service, READY)) == 1


def test_a_contraindication_at_signing_is_never_quiet(service: TestClient) -> None:
    draft = order(KETAMINE, HYPERTENSION)
    for url in (ORDER_SELECT, ORDER_SIGN):
        (card,) = call(service, url, HYPERTENSION, draft)
        tell(service, url, overridden(card["uuid"]))
    assert call(service, ORDER_SELECT, HYPERTENSION, draft) == []
    (card,) = call(service, ORDER_SIGN, HYPERTENSION, draft)
    assert card["indicator"] == "critical"


def dosed(milligrams: float) -> dict[str, Any]:
    dose = {"value": milligrams, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}
    return order(KETAMINE, READY, dosageInstruction=[{"doseAndRate": [{"doseQuantity": dose}]}])


def test_a_dose_far_out_is_never_quiet_at_signing(service: TestClient) -> None:
    """The one who signs 800 mg is told, although the same was overridden for 80 mg."""
    for milligrams in (80, 80, 800):
        (card,) = call(service, ORDER_SIGN, READY, dosed(milligrams))
        assert "far outside" in card["summary"]
        tell(service, ORDER_SIGN, overridden(card["uuid"]))


def test_a_card_about_an_order_returns_when_the_order_says_something_else(service: TestClient) -> None:
    (card,) = call(service, ORDER_SIGN, READY, dosed(36))
    tell(service, ORDER_SIGN, overridden(card["uuid"]))
    assert call(service, ORDER_SIGN, READY, dosed(36)) == []
    assert len(call(service, ORDER_SIGN, READY, dosed(54))) == 1


def test_a_contraindication_that_may_be_there_is_never_quiet_at_signing(service: TestClient) -> None:
    draft = order(KETAMINE, "nearly-empty")
    (card,) = call(service, ORDER_SIGN, "nearly-empty", draft)
    assert card["indicator"] == "warning"
    tell(service, ORDER_SIGN, overridden(card["uuid"]))
    assert len(call(service, ORDER_SIGN, "nearly-empty", draft)) == 1


def test_a_safety_signal_is_one_alert_for_one_questionnaire(service: TestClient) -> None:
    request = body(PATIENT_VIEW, CRISIS)
    safety = call(service, PATIENT_VIEW, CRISIS)[0]
    assert safety["indicator"] == "critical"
    tell(service, PATIENT_VIEW, overridden(safety["uuid"]))
    assert all(card["indicator"] != "critical" for card in call(service, PATIENT_VIEW, CRISIS))
    again = str(request["prefetch"]).count("QuestionnaireResponse")
    assert again
    renamed = _with_new_response_ids(request["prefetch"])
    assert call(service, PATIENT_VIEW, CRISIS, prefetch=renamed)[0]["indicator"] == "critical"


def _with_new_response_ids(prefetch: dict[str, Any]) -> dict[str, Any]:
    entries = prefetch["questionnaireResponses"]["entry"]
    fresh = [{"resource": each["resource"] | {"id": f"{each['resource']['id']}-2"}} for each in entries]
    responses = prefetch["questionnaireResponses"] | {"entry": fresh}
    observations = prefetch["observations"] | {
        "entry": [
            {"resource": each["resource"] | {"id": f"{each['resource']['id']}-2"}}
            for each in prefetch["observations"]["entry"]
        ]
    }
    return prefetch | {"questionnaireResponses": responses, "observations": observations}


def test_what_is_quiet_outlives_the_process(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    with remembering(file) as first:
        (card,) = told(first, READY)
        tell(first, PATIENT_VIEW, overridden(card["uuid"]))
    with remembering(file) as second:
        assert told(second, READY) == []


def test_a_site_may_want_no_quiet(tmp_path: Path) -> None:
    with remembering(tmp_path / "memory.sqlite", quiet_days=0) as service:
        (card,) = told(service, READY)
        tell(service, PATIENT_VIEW, overridden(card["uuid"]))
        assert len(told(service, READY)) == 1


def test_identical_order_select_calls_give_one_card(service: TestClient) -> None:
    draft = order(KETAMINE, READY)
    answers = [call(service, ORDER_SELECT, READY, draft, hookInstance=str(number)) for number in range(5)]
    assert len({card["uuid"] for cards in answers for card in cards}) == 1
    assert all(cards == answers[0] for cards in answers)
    changed = call(service, ORDER_SELECT, READY, order(ESKETAMINE, READY))
    assert changed[0]["uuid"] != answers[0][0]["uuid"]
    counted = service.get("/metrics").text
    assert 'tandem_calls_total{mode="live",service="combination-therapy-order-select"} 2.0' in counted


def test_every_other_hook_gives_a_new_card_each_time(service: TestClient) -> None:
    draft = order(KETAMINE, READY)
    assert len({call(service, ORDER_SIGN, READY, draft)[0]["uuid"] for _ in range(3)}) == 3


# The rule by itself

KEYED = KeyedHash(b"k" * 32)
USER = "Practitioner/1"
SHOWN = CardKey("patient", "criteria:ketamine", "Practitioner")
CARD = Card(summary="Ketamine", indicator="warning", source=CardSource("Tandem"), uuid="1", detail="x")


def heard(
    outcome: str = "overridden", reason: str = "considered", at: int = 0, identity: int = 1, **more: Any
) -> FeedbackRecord:
    made = {"card_key": SHOWN, "fingerprint": "f", "received_at": 0} | more
    return FeedbackRecord(outcome_at=at, id=identity, outcome=outcome, reason=reason, **made)


def quiet() -> QuietCards:
    return QuietCards(frozenset({"considered"}), 7, 1)


def test_the_quiet_ends_on_time() -> None:
    rule = quiet()
    rule.learn(heard())
    assert rule.hides(SHOWN, "f", 7 * DAY_MS - 1)
    assert not rule.hides(SHOWN, "f", 7 * DAY_MS)
    for danger in (SAFETY, SAFETY.replace("safety", "review")):
        signal = SHOWN._replace(rule=danger)
        rule.learn(heard(card_key=signal))
        assert rule.hides(signal, "f", DAY_MS - 1)
        assert not rule.hides(signal, "f", DAY_MS)


def test_a_month_of_a_chart_opened_all_day_interrupts_at_most_once_a_day() -> None:
    rule, signal = quiet(), SHOWN._replace(rule=SAFETY)
    for day in range(30):
        opened = [day * DAY_MS + hour * DAY_MS // 24 for hour in (8, 9, 9, 12, 18)]
        shown = [
            moment for moment in opened if not rule.hides(signal, "f", moment) and not _overridden(rule, signal, moment)
        ]
        assert len(shown) <= 1


def _overridden(rule: QuietCards, signal: CardKey, moment: int) -> None:
    rule.learn(heard(card_key=signal, at=moment, identity=moment, received_at=moment))


def test_what_is_learned_does_not_depend_on_the_order() -> None:
    answers = [heard(at=1), heard("accepted", "none", at=2, identity=2), heard(at=3, identity=3)]
    for order_of_arrival in permutations(answers):
        rule = quiet()
        for answer in (*sorted(order_of_arrival), *sorted(order_of_arrival)):
            rule.learn(answer)
        assert rule.hides(SHOWN, "f", 5)


def test_memory_of_quiet_cards_is_bounded() -> None:
    rule = quiet()
    for number in range(MOST_QUIET + 10):
        rule.learn(heard(card_key=SHOWN._replace(patient=str(number)), identity=number))
    assert len(rule) == MOST_QUIET
    assert not rule.hides(SHOWN._replace(patient="0"), "f", 1)


findings = st.lists(
    st.builds(
        Finding,
        criterion=st.sampled_from(["a", "b"]),
        verdict=st.sampled_from(Verdict),
        because=st.sampled_from(["140/90 mm[Hg]", "150/90 mm[Hg]"]),
        missing=st.sampled_from([(), ("conditions: partial",)]),
        evidence=st.lists(
            st.builds(
                Evidence,
                reference=st.sampled_from(["Observation/1", "Observation/2"]),
                label=st.sampled_from(["", "x"]),
                day=st.sampled_from([None, DaySpan(date(2026, 1, 1), date(2026, 1, 1))]),
                note=st.sampled_from(["", "unconfirmed", "highest 60 mg/day", "highest 90 mg/day"]),
            ),
            max_size=2,
        ).map(tuple),
    ),
    min_size=1,
    max_size=2,
).map(tuple)


@given(findings, findings)
def test_only_the_same_facts_are_hidden(before: tuple[Finding, ...], after: tuple[Finding, ...]) -> None:
    rule = quiet()
    rule.learn(heard(fingerprint=fingerprint(CARD, CardBasis("criteria:ketamine", before), USER, KEYED)))
    hidden = rule.hides(SHOWN, fingerprint(CARD, CardBasis("criteria:ketamine", after), USER, KEYED), 1)
    assert hidden == (before == after)


def test_days_that_run_on_are_no_change() -> None:
    def basis(days: int) -> CardBasis:
        note = f"adequate trial; {days} adequate days, highest 60 mg/day"
        one = Evidence(reference="MedicationRequest/1", note=note)
        return CardBasis("r", (Finding(criterion="a", verdict=Verdict.MET, because="2 of 2", evidence=(one,)),))

    assert fingerprint(CARD, basis(196), USER, KEYED) == fingerprint(CARD, basis(197), USER, KEYED)


def test_a_card_without_findings_is_the_same_to_the_letter() -> None:
    basis = CardBasis("drafts", ())
    other = Card(summary="Ketamine", indicator="warning", source=CardSource("Tandem"), uuid="2", detail="y")
    assert fingerprint(CARD, basis, USER, KEYED) != fingerprint(other, basis, USER, KEYED)


@given(st.booleans(), st.sampled_from(["info", "warning", "critical"]))
def test_no_danger_is_quiet_at_signing(against: bool, indicator: str) -> None:
    card = Card(summary="s", indicator=indicator, source=CardSource("Tandem"))
    (signing,) = (each for each in knowledge().services.services if each.hook == "order-sign")
    assert may_be_quiet(card, CardBasis("r", (), against=against), signing) == (not against and indicator != "critical")


@pytest.mark.parametrize(
    ("user", "role"),
    [
        ("Practitioner/1", "Practitioner"),
        ("PractitionerRole/2", "PractitionerRole"),
        ("Jane Roe", "other"),
        ("", "other"),
    ],
)
def test_roles_are_of_a_closed_set(user: str, role: str) -> None:
    assert role_of(user) == role
    assert is_person(user) == (role != "other")


@given(st.text(), st.text())
def test_the_same_facts_are_another_card_to_another_person(one: str, other: str) -> None:
    basis = CardBasis("safety:suicidality.current", (), once=True)
    same = fingerprint(CARD, basis, one, KEYED) == fingerprint(CARD, basis, other, KEYED)
    assert same == (one.strip() == other.strip())
