"""When the current depressive episode began: as given, by diagnosis, by scores, or by a flagged lookback."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.record.datatypes import CodeableConcept
from fhir_plugin.record.dates import DaySpan, day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Condition
from mappings.schema.base.systems import system_key
from mappings.schema.medications import Medications

_PHQ9 = "phq9"


class Episode(NamedTuple):
    """The current episode, within which trials count."""

    start: date
    source: str
    """``given``, ``diagnosis``, ``scores`` or ``lookback``."""

    @property
    def first(self) -> int:
        """The first day, as an ordinal."""
        return self.start.toordinal()


def current_episode(
    record: Record, medications: Medications, as_of: date, assessments: Sequence[Assessment], given: DaySpan | None
) -> Episode:
    """The episode that trials must fall into. Of a partial date the last day is used, so that fewer days count."""
    if given is not None:
        return Episode(min(given.last, as_of), "given")
    onset = _onset(record, medications, as_of)
    if onset is not None:
        return Episode(onset, "diagnosis")
    scored = _scored(assessments, medications, as_of)
    if scored is not None:
        return Episode(scored, "scores")
    days = int(medications.parameters["lookback_days"].value)
    return Episode(date.fromordinal(max(as_of.toordinal() - days, 1)), "lookback")


def _onset(record: Record, medications: Medications, as_of: date) -> date | None:
    """The latest onset of an active depressive episode."""
    onsets = []
    for condition in record.all("conditions", Condition):
        if not is_current_depression(condition, medications):
            continue
        span = day_span(condition.onset_date_time) or (
            day_span(condition.onset_period.start) if condition.onset_period else None
        )
        if span is not None and span.last <= as_of:
            onsets.append(span.last)
    return max(onsets, default=None)


def is_current_depression(condition: Condition, medications: Medications) -> bool:
    """Whether a Condition is an active, not refuted depressive episode by its code."""
    if not _has(condition.clinical_status, medications.episodes.clinical_statuses) or condition.code is None:
        return False
    if _has(condition.verification_status, medications.episodes.unverified):
        return False
    for coding in condition.code.coding:
        code = coding.code or ""
        if system_key(coding.system) in medications.systems.icd10:
            if code.startswith(medications.episodes.icd10_prefixes) and not code.startswith(
                medications.episodes.icd10_excluded
            ):
                return True
        elif system_key(coding.system) in medications.systems.snomed and code in medications.episodes.snomed:
            return True
    return False


def _has(concept: CodeableConcept | None, codes: frozenset[str]) -> bool:
    return concept is not None and any(coding.code in codes for coding in concept.coding)


def _scored(assessments: Sequence[Assessment], medications: Medications, as_of: date) -> date | None:
    """The first of the unbroken run of PHQ-9 scores in the depressed range that ends with the latest score."""
    cut = medications.parameters["still_depressed_from"].value
    dated = sorted(
        (a.day.last, a.total)
        for a in assessments
        if a.instrument == _PHQ9 and a.day is not None and a.total is not None and a.day.last <= as_of
    )
    start: date | None = None
    for day, total in dated:
        start = (start or day) if total >= cut else None
    return start
