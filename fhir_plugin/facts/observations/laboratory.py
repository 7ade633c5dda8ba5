"""Laboratory tests with a positive or negative result: the newest results, and how old they are. Pure.

A negative result does not refute a diagnosis on the problem list; it only supersedes an older positive result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from fhir_plugin.facts.fact import ABSENT, Evidence, Fact, Presence
from fhir_plugin.facts.observations.sorting import SortedObservations
from fhir_plugin.record.coded import entry_of
from fhir_plugin.record.datatypes import CodeableConcept, Quantity
from fhir_plugin.record.dates import DaySpan, day_span
from fhir_plugin.record.record import Extent, Record
from fhir_plugin.record.resources import Observation
from mappings.schema.codes.laboratory import LaboratoryResult
from mappings.schema.load import Knowledge

INPUTS = ("observations",)


class _TestResult(NamedTuple):
    """One result that was not withdrawn."""

    day: DaySpan | None
    result: LaboratoryResult | None
    """``None``: not final, or written in a way that is not recognised."""
    reference: str
    label: str


def read_laboratory(
    record: Record, observations: SortedObservations, knowledge: Knowledge, as_of: date
) -> Mapping[str, Fact]:
    """``tests.<name>`` for every test of ``laboratory.yaml``; an untested one is "searched, none found"."""
    extent = record.extent(INPUTS)
    facts = [
        _fact(f"tests.{name}", _tested(name, entries, knowledge, as_of) if entries else _UNTESTED, extent)
        for name, entries in observations.tests.items()
    ]
    return {fact.name: fact for fact in facts}


def _results(
    name: str, observations: Iterable[Observation], knowledge: Knowledge, as_of: date
) -> Iterator[_TestResult]:
    for observation in observations:
        if observation.status in knowledge.laboratory.withdrawn or _is_heading(observation):
            continue
        if not _is_date_passed(observation, name, knowledge, as_of):
            yield _test_result(observation, name, knowledge)


def _is_date_passed(observation: Observation, name: str, knowledge: Knowledge, as_of: date) -> bool:
    """Whether it is an expected date that has passed or cannot be read, and so says nothing of today."""
    if not _is_due_date(observation, name, knowledge):
        return False
    due = day_span(observation.value_date_time)
    return due is None or due.last < as_of


def _is_due_date(observation: Observation, name: str, knowledge: Knowledge) -> bool:
    dates = knowledge.laboratory.tests[name].due_dates
    return bool(entry_of(observation.code, dict.fromkeys(dates, name), knowledge.laboratory.systems))


def _is_heading(observation: Observation) -> bool:
    """Whether it only names the panel whose results are Observations of their own."""
    values = (observation.value_codeable_concept, observation.value_string, observation.value_quantity)
    return bool(observation.has_member) and not any(values)


def _test_result(observation: Observation, name: str, knowledge: Knowledge) -> _TestResult:
    result = "positive" if _is_due_date(observation, name, knowledge) else _result_of(observation, name, knowledge)
    is_final = observation.status in knowledge.laboratory.believed
    label = observation.code.label if observation.code else ""
    day = day_span(moment_of_result(observation))
    return _TestResult(day, result if is_final else None, observation.reference, label)


def _result_of(observation: Observation, name: str, knowledge: Knowledge) -> LaboratoryResult | None:
    """The result as an amount, a yes or no, a code or words."""
    concepts = [concept for concept in (observation.value_codeable_concept, *observation.interpretation) if concept]
    concepts += [part.value_codeable_concept for part in observation.component if part.value_codeable_concept]
    codings = [coding for concept in concepts for coding in concept.coding]
    words = [observation.value_string, *(part.value_string for part in observation.component)]
    words += [*(c.text for c in concepts), *(c.display for c in codings)]
    result = knowledge.laboratory.result(name, [(c.system, c.code) for c in codings], words)
    return _by_amount(observation.value_quantity, name, knowledge) or _by_boolean(observation, concepts) or result


def _by_boolean(observation: Observation, concepts: Sequence[CodeableConcept]) -> LaboratoryResult | None:
    if observation.value_boolean is None or concepts:
        return None
    return "positive" if observation.value_boolean else "negative"


def _by_amount(quantity: Quantity | None, name: str, knowledge: Knowledge) -> LaboratoryResult | None:
    levels = knowledge.laboratory.tests[name].quantity
    if levels is None or quantity is None or quantity.value is None:
        return None
    return levels.result(quantity.value, quantity.code or quantity.unit or "", quantity.comparator)


def moment_of_result(observation: Observation) -> str | None:
    """When the test was made, else when its result was issued."""
    period = observation.effective_period
    when = observation.effective_date_time or observation.effective_instant or (period.start if period else None)
    return when or observation.issued


class _Tested(NamedTuple):
    """What the results of one test make present, and the negative ones beside."""

    presence: Presence
    negative: tuple[Evidence, ...]


_UNTESTED = _Tested(ABSENT, ())


def _tested(name: str, observations: Iterable[Observation], knowledge: Knowledge, as_of: date) -> _Tested:
    results = list(_results(name, observations, knowledge, as_of))
    up_to_day = [result for result in results if result.day is None or result.day.first <= as_of]
    negative_days = [result.day for result in up_to_day if result.result == "negative" and result.day]
    by_place: dict[str, list[Evidence]] = {"current": [], "past": [], "possible": []}
    for result in sorted(up_to_day, key=lambda result: (str(result.day), result.reference)):
        if result.result != "negative":
            place, note = _place(name, result, negative_days, knowledge, as_of)
            by_place[place].append(_evidence(name, result, note, knowledge))
    negative = [_evidence(name, result, "negative", knowledge) for result in up_to_day if result.result == "negative"]
    return _Tested(Presence(**{place: tuple(entries) for place, entries in by_place.items()}), tuple(negative))


def _fact(name: str, tested: _Tested, extent: Extent) -> Fact:
    value = tested.presence
    return Fact(
        name=name,
        value=value,
        evidence=value.current + value.possible + value.past + tested.negative,
        unread=extent.unread,
        missing=extent.gaps,
        looked_in=extent.looked_in,
    )


def _place(
    name: str, tested: _TestResult, negative_days: list[DaySpan], knowledge: Knowledge, as_of: date
) -> tuple[str, str]:
    """Whether a result that is not negative is current, past or possible, and the note that goes with it."""
    if tested.day is None:
        return "possible", "undated"
    youngest, oldest = tested.day.days_before(as_of)
    test, last = knowledge.laboratory.tests[name], tested.day.last
    limit, doubt = test.recent_days.value, test.settled_days.value if test.settled_days and tested.result else 0
    if youngest > limit or any((negative.first - last).days > doubt for negative in negative_days):
        return "past", "positive" if tested.result else "unclear"
    if tested.result is None:
        return "possible", "unclear"
    if any(negative.first > last for negative in negative_days):
        return "possible", "contradictory_tests"
    if any(negative.last >= tested.day.first for negative in negative_days):
        return "possible", "positive_and_negative"
    return ("possible", "undated") if oldest > limit else ("current", "positive")


def _evidence(name: str, tested: _TestResult, note: str, knowledge: Knowledge) -> Evidence:
    test = knowledge.laboratory.tests[name]
    return Evidence(
        reference=tested.reference,
        label=tested.label,
        name=test.positive_name if tested.result == "positive" else test.title,
        day=tested.day,
        note=knowledge.wording.entries[note],
    )
