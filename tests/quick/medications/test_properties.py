"""What must hold of every record, however odd."""

from __future__ import annotations

import pickle
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fhir_plugin.facts.trials.read import TrialHistory, read_trials
from fhir_plugin.facts.trials.report import trial_document, trial_lines
from fhir_plugin.facts.trials.staging import read_staging
from tests.support.medications.drawn import (
    AS_OF,
    DAYS,
    EPISODE,
    KNOWN,
    RECORDS,
    SIGS,
    STARTS,
    built,
    read,
)
from tests.support.medications.records import assessments, condition, dispense, order, record_of, statement
from tests.support.profiles import examples

NARROW = {
    "product": st.sampled_from([{"rxnorm": 312938}, {"rxnorm": 312940}]),
    "start": st.sampled_from(["2025-02-01", "2025-02-20", "2025-03-10", "2025-06-01", None]),
    "sig": st.sampled_from(["1 tablet daily", "as directed"]),
    "supply": st.sampled_from([20, 30, 60, 120]),
}
NARROW_RECORDS = st.lists(
    st.one_of(
        st.fixed_dictionaries(NARROW | {"kind": st.just(order), "status": st.sampled_from(["completed", "stopped"])}),
        st.fixed_dictionaries(NARROW | {"kind": st.just(dispense), "for": st.sampled_from([None, "r0"])}),
        st.fixed_dictionaries(NARROW | {"kind": st.just(statement), "status": st.just("active")}),
    ),
    min_size=2,
    max_size=5,
)
"""One drug only, so that records meet, contradict and fill each other."""


def verdicts(history: TrialHistory) -> dict[str, str]:
    return {trial.ingredient: trial.adequate for trial in history.trials}


@given(RECORDS, st.randoms())
def test_order_changes_nothing(entries: list[dict[str, Any]], chance: random.Random) -> None:
    resources = built(entries)
    mixed = list(resources)
    chance.shuffle(mixed)
    assert read(resources) == read(mixed)


@given(RECORDS)
def test_a_repeated_resource_changes_nothing(entries: list[dict[str, Any]]) -> None:
    resources = built(entries)
    again = read([resource for resource in resources for _ in range(2)])
    once = read(resources)
    assert once.trials == again.trials
    assert once.counters == again.counters


@given(RECORDS)
def test_another_drug_changes_nothing_of_the_days(entries: list[dict[str, Any]]) -> None:
    resources = built(entries)
    other = order({"rxnorm": 596934, "sig": "1 capsule daily", "start": "2025-05-01", "supply": 90}) | {"id": "other"}
    with_other = {trial.ingredient: trial for trial in read([*resources, other]).trials}
    for trial in read(resources).trials:
        found = with_other[trial.ingredient]
        assert (found.adequate, found.adequate_days, found.start, found.stop, found.highest_daily_dose) == (
            trial.adequate,
            trial.adequate_days,
            trial.start,
            trial.stop,
            trial.highest_daily_dose,
        )


@examples(4)
@given(st.one_of(NARROW_RECORDS, RECORDS))
def test_taking_a_resource_away_never_makes_indeterminate_adequate(entries: list[dict[str, Any]]) -> None:
    resources = built(entries)
    before = verdicts(read(resources))
    for at in range(len(resources)):
        after = verdicts(read(resources[:at] + resources[at + 1 :]))
        for ingredient, verdict in before.items():
            if verdict == "unknown":
                assert after.get(ingredient) != "met", resources[at]


@given(RECORDS)
def test_adequate_days_fit_into_the_calendar(entries: list[dict[str, Any]]) -> None:
    history = read(built(entries))
    for trial in (*history.trials, *history.lifetime_trials):
        assert trial.adequate_days >= 0
        if trial.adequate_days:
            assert trial.start is not None
            assert trial.adequate_days <= (AS_OF - trial.start).days


@given(RECORDS)
def test_every_history_can_be_told_and_carried(entries: list[dict[str, Any]]) -> None:
    record = record_of(built(entries))
    history = read_trials(record, KNOWN, AS_OF, episode_start=EPISODE)
    staged = read_staging(record, history, KNOWN, AS_OF)
    assert trial_document(history, staged, KNOWN)["adequate"] == history.counters.adequate
    assert len(trial_lines(history, staged)) >= len(history.trials)
    assert pickle.loads(pickle.dumps(history)) == history  # noqa: S301 - our own bytes
    for fact in history.facts().values():
        assert fact.value.high is None or fact.value.low <= fact.value.high  # type: ignore[union-attr]


NUMBERS = st.one_of(st.integers(-5, 500), st.floats(allow_nan=False, allow_infinity=False), st.just(1e308))
WORDS = st.one_of(st.sampled_from(["mg", "tablet", "{tbl}", "d", "wk", "xyz", "", "mL"]), st.text(max_size=5))
QUANTITIES = st.fixed_dictionaries({}, optional={"value": NUMBERS, "unit": WORDS, "code": WORDS})
TIMES = st.one_of(STARTS.filter(bool), st.text(max_size=12))
REPEATS = st.fixed_dictionaries(
    {},
    optional={
        "frequency": NUMBERS,
        "period": NUMBERS,
        "periodMax": NUMBERS,
        "periodUnit": WORDS,
        "when": st.lists(WORDS, max_size=3),
        "dayOfWeek": st.lists(WORDS, max_size=3),
        "timeOfDay": st.lists(WORDS, max_size=3),
        "boundsDuration": QUANTITIES,
        "boundsPeriod": st.fixed_dictionaries({}, optional={"start": TIMES, "end": TIMES}),
    },
)
DOSAGES = st.fixed_dictionaries(
    {},
    optional={
        "text": st.one_of(st.sampled_from(SIGS), st.text(max_size=20)),
        "sequence": st.integers(0, 3),
        "asNeededBoolean": st.booleans(),
        "timing": st.fixed_dictionaries(
            {}, optional={"repeat": REPEATS, "code": st.fixed_dictionaries({"text": WORDS})}
        ),
        "doseAndRate": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "doseQuantity": QUANTITIES,
                    "doseRange": st.fixed_dictionaries({}, optional={"low": QUANTITIES}),
                },
            ),
            max_size=2,
        ),
    },
)
ODD_ORDERS = st.fixed_dictionaries(
    {"resourceType": st.just("MedicationRequest")},
    optional={
        "id": st.sampled_from(["a", "b"]),
        "status": st.sampled_from(["active", "stopped", "on-hold", "completed", "odd"]),
        "intent": st.sampled_from(["order", "plan", "odd"]),
        "authoredOn": TIMES,
        "medicationCodeableConcept": st.sampled_from(
            [
                {"text": "sertraline 50 mg"},
                {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "312941"}]},
                {"coding": [{}]},
                {"text": ""},
            ]
        ),
        "dosageInstruction": st.lists(DOSAGES, max_size=3),
        "dispenseRequest": st.fixed_dictionaries(
            {},
            optional={
                "expectedSupplyDuration": QUANTITIES,
                "quantity": QUANTITIES,
                "numberOfRepeatsAllowed": NUMBERS,
                "validityPeriod": st.fixed_dictionaries({}, optional={"start": TIMES, "end": TIMES}),
            },
        ),
        "meta": st.fixed_dictionaries({"lastUpdated": TIMES}),
        "note": st.lists(st.fixed_dictionaries({"text": st.text(max_size=20)}), max_size=1),
    },
)


@examples(3)
@given(st.lists(ODD_ORDERS, max_size=3))
def test_no_odd_order_breaks_the_reading(resources: list[dict[str, Any]]) -> None:
    history = read(resources)
    assert all(trial.line for trial in history.trials)


DEPRESSIONS = st.lists(
    st.fixed_dictionaries(
        {"icd10": st.sampled_from(["F33.1", "F33.2", "F32.9", "F33.42"])},
        optional={"onset": STARTS.filter(bool), "recorded": DAYS, "abated": DAYS},
    ).map(lambda short: condition({**short, "status": "resolved" if "abated" in short else "active"})),
    max_size=3,
)
SCORES = st.lists(st.tuples(st.sampled_from(["phq9", "madrs"]), DAYS, st.integers(0, 27)), max_size=3)


def counted(resources: list[dict[str, Any]], scores: list[tuple[str, str, int]]) -> TrialHistory:
    return read_trials(record_of(resources), KNOWN, AS_OF, assessments=assessments({"scores": scores}))


@given(RECORDS, DEPRESSIONS, SCORES, st.tuples(st.sampled_from(["phq9", "madrs"]), DAYS, st.integers(0, 27)))
def test_an_assessment_never_lowers_the_number_of_trials(
    entries: list[dict[str, Any]],
    depressions: list[dict[str, Any]],
    scores: list[tuple[str, str, int]],
    another: tuple[str, str, int],
) -> None:
    resources = [*built(entries), *({"id": f"c{at}"} | found for at, found in enumerate(depressions))]
    before, after = counted(resources, scores), counted(resources, [*scores, another])
    assert after.episode == before.episode
    assert verdicts(after) == verdicts(before)
    assert after.facts()["trials.adequate"].value == before.facts()["trials.adequate"].value


@given(RECORDS, DEPRESSIONS, st.integers(10, 27))
def test_a_score_of_today_erases_no_failed_trial(
    entries: list[dict[str, Any]], depressions: list[dict[str, Any]], total: int
) -> None:
    resources = [*built(entries), *({"id": f"c{at}"} | found for at, found in enumerate(depressions))]
    before, after = counted(resources, []), counted(resources, [("phq9", AS_OF.isoformat(), total)])
    assert after.counters.failed >= before.counters.failed


@given(RECORDS, DEPRESSIONS)
def test_an_earlier_beginning_never_lowers_the_most_that_may_have_failed(
    entries: list[dict[str, Any]], depressions: list[dict[str, Any]]
) -> None:
    resources = [*built(entries), *({"id": f"c{at}"} | found for at, found in enumerate(depressions))]
    facts = counted(resources, []).facts()
    for name in ("adequate", "failed"):
        value = facts[f"trials.{name}"].value
        assert value.high is None or value.low <= value.high  # type: ignore[union-attr]


@given(RECORDS)
def test_without_its_status_a_resource_leaves_the_count_open_and_never_raises_it(entries: list[dict[str, Any]]) -> None:
    resources = built(entries)
    before = read(resources)
    bare = read([{key: value for key, value in one.items() if key != "status"} for one in resources])
    assert bare.counters.adequate == 0
    for trial in before.trials:
        if trial.adequate == "met":
            assert verdicts(bare)[trial.ingredient] == "unknown"
