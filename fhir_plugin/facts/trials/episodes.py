"""When the current depressive episode began: as given, by the diagnoses, or by a flagged lookback.

1. Each diagnosis of depression that is dated (onset, else the day it was recorded) begins on that day.
2. The episode begins with the earliest of the current run. The run goes back from the latest current diagnosis to other
   current ones, and to one that ended within ``episode_gap_days``, as when a diagnosis is replaced by another. A
   diagnosis of full remission ends it, and so do more than ``lookback_days`` between two beginnings.
3. Scores never date it: a first score tells when somebody asked, not when the depression began.
4. Where it may have begun earlier (only a day of recording, a partial date, an earlier beginning that a long gap cuts
   off, no date at all), trials before it may count as well: ``earliest`` is the first day that is possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import msgspec

from fhir_plugin.record.datatypes import CodeableConcept
from fhir_plugin.record.dates import DaySpan, day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Condition
from mappings.schema.base.systems import system_key
from mappings.schema.medications import Medications


class Episode(NamedTuple):
    """The current episode, within which trials count."""

    start: date
    source: str
    """``given``, ``diagnosis``, ``recorded`` or ``lookback``."""
    earliest: date
    """The first day on which it may have begun."""

    @property
    def first(self) -> int:
        """The first day, as an ordinal."""
        return self.start.toordinal()


class _Depression(msgspec.Struct, frozen=True, gc=False):
    """One dated diagnosis of depression."""

    day: date
    earliest: date
    source: str
    until: date | None
    """``None``: current."""


def current_episode(record: Record, medications: Medications, as_of: date, given: DaySpan | None) -> Episode:
    """The episode that trials must fall into. Of a partial date the last day is used, so that fewer days count."""
    if given is not None:
        return Episode(min(given.last, as_of), "given", min(given.first, as_of))
    conditions = [
        (condition, meaning)
        for condition in record.all("conditions", Condition)
        if (meaning := _meaning(condition, medications)) is not _OF_NOTHING
    ]
    dated = sorted(_dated(conditions, medications, as_of), key=lambda diagnosis: diagnosis.day)
    latest = next((diagnosis for diagnosis in reversed(dated) if diagnosis.until is None), None)
    if latest is None:
        days = int(medications.parameters["lookback_days"].value)
        return Episode(date.fromordinal(max(as_of.toordinal() - days, 1)), "lookback", date.min)
    remission = max((day for day in _remissions(conditions, medications) if day <= as_of), default=date.min)
    return _first_of_run(latest, dated, remission, medications)


def _first_of_run(latest: _Depression, dated: list[_Depression], remission: date, medications: Medications) -> Episode:
    longest = medications.parameters["lookback_days"].value
    gap = medications.parameters["episode_gap_days"].value
    first, cut = latest, False
    for diagnosis in reversed(dated):
        if diagnosis.day > first.day:
            continue
        if diagnosis.day <= remission and diagnosis is not first:
            break
        if diagnosis.until is None:
            joined = (first.day - diagnosis.day).days <= longest
            cut = cut or not joined
        else:
            joined = (first.day - diagnosis.until).days <= gap
        first = diagnosis if joined else first
    return Episode(first.day, first.source, date.min if cut else first.earliest)


def _dated(conditions: Iterable[_Coded], medications: Medications, as_of: date) -> Iterator[_Depression]:
    for condition, meaning in conditions:
        if not meaning.is_depression:
            continue
        until = None
        if not _is_current(condition, medications):
            period = condition.abatement_period
            abated = day_span(condition.abatement_date_time) or (day_span(period.end) if period else None)
            if abated is None or _has(condition.verification_status, medications.episodes.unverified):
                continue
            until = abated.last
        begun = _begun(condition, as_of)
        if begun is not None:
            yield _Depression(*begun, until)


def _begun(condition: Condition, as_of: date) -> tuple[date, date, str] | None:
    """The day by which it had begun, the first day on which it may have, and what says so."""
    period = condition.onset_period
    onset = day_span(condition.onset_date_time) or (day_span(period.start) if period else None)
    if onset is not None and onset.first <= as_of:
        return min(onset.last, as_of), onset.first, "diagnosis"
    recorded = day_span(condition.recorded_date)
    if recorded is not None and recorded.first <= as_of:
        return min(recorded.last, as_of), date.min, "recorded"
    return None


def _remissions(conditions: Iterable[_Coded], medications: Medications) -> Iterator[date]:
    """The days of the diagnoses of full remission."""
    for condition, meaning in conditions:
        if meaning.remission and not _has(condition.verification_status, medications.episodes.unverified):
            span = day_span(condition.onset_date_time) or day_span(condition.recorded_date)
            if span is not None:
                yield span.first


def is_current_depression(condition: Condition, medications: Medications) -> bool:
    """Whether a Condition is an active, not refuted depressive episode by its code."""
    return _meaning(condition, medications).is_depression and _is_current(condition, medications)


def _is_current(condition: Condition, medications: Medications) -> bool:
    episodes = medications.episodes
    return _has(condition.clinical_status, episodes.clinical_statuses) and not _has(
        condition.verification_status, episodes.unverified
    )


class _CodeMeaning(NamedTuple):
    """What codes say of depressive episodes."""

    depression: bool = False
    excluded: bool = False
    """Whether one is of another illness, whatever the others say."""
    remission: bool = False
    """Whether the depression is in full remission."""

    @property
    def is_depression(self) -> bool:
        """Whether they are of a depressive episode."""
        return self.depression and not self.excluded


_OF_NOTHING = _CodeMeaning()
_Coded: TypeAlias = tuple[Condition, _CodeMeaning]


def _meaning(condition: Condition, medications: Medications) -> _CodeMeaning:
    """What the codes of a diagnosis say."""
    codings = condition.code.coding if condition.code else ()
    meanings = [_meaning_of(coding.system, coding.code, medications) for coding in codings]
    if len(meanings) == 1:
        return meanings[0]
    merged = _CodeMeaning(*map(any, zip(*meanings, strict=True)))
    return merged if any(merged) else _OF_NOTHING


@lru_cache(maxsize=4096)
def _meaning_of(system: str | None, code: str | None, medications: Medications) -> _CodeMeaning:
    """What a code says; ICD-10 is read by its beginning, so that no list of codes is needed."""
    key, episodes = system_key(system), medications.episodes
    icd10 = (code or "") if key in medications.systems.icd10 else ""
    snomed = code if key in medications.systems.snomed else None
    meaning = _CodeMeaning(
        icd10.startswith(episodes.icd10_prefixes) or snomed in episodes.snomed,
        icd10.startswith(episodes.icd10_excluded),
        icd10.startswith(episodes.icd10_remission) or snomed in episodes.snomed_remission,
    )
    return meaning if any(meaning) else _OF_NOTHING


def _has(concept: CodeableConcept | None, codes: frozenset[str]) -> bool:
    return concept is not None and any(coding.code in codes for coding in concept.coding)
