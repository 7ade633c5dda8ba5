"""Laboratory tests that answer yes or no: what the newest results say, and how old they are. Pure.

A negative result proves nothing about what the problem list says; it only takes back an older positive one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from fhir_plugin.facts.fact import Evidence, Fact, Presence
from fhir_plugin.record.dates import DaySpan, day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Observation
from mappings.schema.codes.laboratory import Result
from mappings.schema.load import Knowledge


class _TestResult(NamedTuple):
    """One result that was not withdrawn."""

    day: DaySpan | None
    result: Result | None
    """``None``: written in a way that is not known, or not final."""
    reference: str
    label: str


def read_laboratory(record: Record, knowledge: Knowledge, as_of: date) -> Mapping[str, Fact]:
    """``tests.<name>`` for every test of ``laboratory.yaml``; no test at all is "looked, none"."""
    laboratory = knowledge.laboratory
    found: dict[str, list[_TestResult]] = {name: [] for name in laboratory.tests}
    for observation in record.all("observations", Observation):
        name = _test_of(observation, knowledge)
        if name is not None and observation.status not in laboratory.withdrawn:
            found[name].append(_test_result(observation, name, knowledge))
    return {f"tests.{name}": _fact(name, results, record, knowledge, as_of) for name, results in found.items()}


def _test_of(observation: Observation, knowledge: Knowledge) -> str | None:
    known = knowledge.laboratory.by_code
    for coding in observation.code.coding if observation.code else ():
        name = known.get(coding.code or "")
        if name is not None and coding.system in knowledge.laboratory.systems:
            return name
    return None


def _test_result(observation: Observation, name: str, knowledge: Knowledge) -> _TestResult:
    period = observation.effective_period
    when = observation.effective_date_time or observation.effective_instant or (period.start if period else None)
    value = observation.value_codeable_concept
    concepts = [concept for concept in (value, *observation.interpretation) if concept]
    codings = [coding for concept in concepts for coding in concept.coding]
    words = [observation.value_string, *(c.text for c in concepts), *(c.display for c in codings)]
    result = knowledge.laboratory.result(name, [(c.system, c.code) for c in codings], words)
    if observation.value_boolean is not None and not concepts:
        result = "positive" if observation.value_boolean else "negative"
    stands = observation.status in knowledge.laboratory.believed
    label = observation.code.label if observation.code else ""
    return _TestResult(day_span(when or observation.issued), result if stands else None, observation.reference, label)


def _fact(name: str, results: list[_TestResult], record: Record, knowledge: Knowledge, as_of: date) -> Fact:
    known = [each for each in results if each.day is None or each.day.first <= as_of]
    taken_back = [each.day for each in known if each.result == "negative" and each.day]
    sorted_in: dict[str, list[Evidence]] = {"current": [], "past": [], "possible": []}
    for each in sorted(known, key=lambda tested: (str(tested.day), tested.reference)):
        if each.result != "negative":
            place, note = _place(name, each, taken_back, knowledge, as_of)
            sorted_in[place].append(_evidence(each, note, knowledge))
    value = Presence(**{place: tuple(entries) for place, entries in sorted_in.items()})
    negative = [_evidence(each, "negative", knowledge) for each in known if each.result == "negative"]
    return Fact(
        name=f"tests.{name}",
        value=value,
        evidence=(*value.current, *value.possible, *value.past, *negative),
        missing=record.gaps(("observations",)),
        looked_in=(f"observations ({len(record.input('observations').resources)})",),
    )


def _place(
    name: str, each: _TestResult, taken_back: list[DaySpan], knowledge: Knowledge, as_of: date
) -> tuple[str, str]:
    """Where a result that is not negative belongs, and the note beside it."""
    if each.day is None:
        return "possible", "undated"
    youngest, oldest = each.day.days_before(as_of)
    limit = knowledge.laboratory.tests[name].recent_days.value
    if youngest > limit or any(negative.first > each.day.last for negative in taken_back):
        return "past", "positive" if each.result else "unclear"
    if each.result is None:
        return "possible", "unclear"
    if any(negative.last >= each.day.first for negative in taken_back):
        return "possible", "positive_and_negative"
    return ("possible", "undated") if oldest > limit else ("current", "positive")


def _evidence(each: _TestResult, note: str, knowledge: Knowledge) -> Evidence:
    return Evidence(reference=each.reference, label=each.label, day=each.day, note=knowledge.wording.entries[note])
