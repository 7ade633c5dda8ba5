"""Assessments put together: what was recorded twice is one, what contradicts is flagged, oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime

import msgspec

from fhir_plugin.facts.scores.assessment import Assessment, measured
from fhir_plugin.facts.scores.survey_observations import GatheredAnswers, contradictory_flag
from fhir_plugin.record.dates import DaySpan, instant
from mappings.schema.instruments import Instruments

_UNDATED = DaySpan(date.min, date.min)
_NO_MOMENT = datetime.min.replace(tzinfo=UTC)


class AssessmentCollector:
    """Collects assessments, indexed by instrument and by day or reference, and merges duplicates."""

    def __init__(self, instruments: Instruments, assessments: Iterable[Assessment]) -> None:
        self._instruments = instruments
        self.assessments = list(assessments)
        self._places: dict[tuple[str, DaySpan | str], list[int]] = {}
        for place, assessment in enumerate(self.assessments):
            self._index(assessment, place)

    def merge(self, recorded: Assessment, gathered: GatheredAnswers) -> None:
        """Add an assessment read from Observations, or merge it with the assessment that it records."""
        derived = {
            "/".join((reference.reference or "").rsplit("/", 2)[-2:])
            for source in gathered.sources
            for reference in source.derived_from
        }
        keys: list[DaySpan | str] = [*derived, recorded.day] if recorded.day else [*derived]
        candidates = [
            (bool(candidate.recorded_as), place)
            for key in keys
            for place in self._places.get((recorded.instrument, key), ())
            if _is_same(candidate := self.assessments[place], recorded, derived)
        ]
        if candidates:
            place = min(candidates)[1]
            self.assessments[place] = _joined(self.assessments[place], recorded, self._instruments)
        else:
            place = len(self.assessments)
            self.assessments.append(recorded)
        self._index(self.assessments[place], place)

    def _index(self, assessment: Assessment, place: int) -> None:
        """Index an assessment; a merged one keeps its old keys too, and `_is_same` checks what they lead to."""
        for key in (assessment.reference, assessment.day):
            if key:
                self._places.setdefault((assessment.instrument, key), []).append(place)


def _is_same(existing: Assessment, recorded: Assessment, derived: set[str]) -> bool:
    if existing.reference in derived:
        return True
    if existing.day is None or existing.day != recorded.day:
        return False
    times = instant(existing.moment), instant(recorded.moment)
    if None not in times and times[0] == times[1]:
        return True
    same_value = (existing.total, existing.severity) == (recorded.total, recorded.severity)
    if not existing.reference.startswith("QuestionnaireResponse/") or existing.recorded_as:
        # Two Observations with different times are two assessments, for example before and after a session.
        return same_value and None in times
    return same_value


def _joined(existing: Assessment, recorded: Assessment, instruments: Instruments) -> Assessment:
    """One assessment from two; where they disagree, the items of a response decide, else the higher stands, flagged."""
    from_response = existing.reference.startswith("QuestionnaireResponse/")
    is_existing = from_response or _strength(existing, instruments) >= _strength(recorded, instruments)
    better, other = (existing, recorded) if is_existing else (recorded, existing)
    flags = dict.fromkeys(better.flags)
    if other.total is not None and better.total != other.total:
        mismatch = f"stored_total_mismatch:{other.total:g}"
        flags[mismatch if _has_items(better) else contradictory_flag(other.total)] = None
    signals = (existing.suicide_item_positive, recorded.suicide_item_positive)
    return msgspec.structs.replace(
        better,
        flags=tuple(flags),
        suicide_item_positive=True if True in signals else False if False in signals else None,
        recorded_as=tuple(dict.fromkeys((*existing.recorded_as, *recorded.recorded_as))),
    )


def _strength(assessment: Assessment, instruments: Instruments) -> tuple[bool, bool, float]:
    return assessment.usable, _has_items(assessment), _rank(assessment, instruments)


def _has_items(assessment: Assessment) -> bool:
    return any(value is not None for value in assessment.items.values())


def _rank(assessment: Assessment, instruments: Instruments) -> float:
    """The total or the rank of the level; below any of them where there is none."""
    if not assessment.usable:
        return -1
    return next(iter(measured(instruments[assessment.instrument], assessment).components.values()))


def in_order(assessments: Iterable[Assessment], instruments: Instruments) -> Iterator[Assessment]:
    """Oldest first, of one moment the higher last and flagged; undated ones come first, so that none is the latest."""

    def order(entry: Assessment) -> tuple[date, date, datetime, float, str]:
        return *_moment(entry), _rank(entry, instruments), entry.reference

    entries = sorted(assessments, key=order)
    together: dict[tuple[str, tuple[date, date, datetime]], list[Assessment]] = {}
    for entry in entries:
        if entry.total is not None and entry.day is not None:
            together.setdefault((entry.instrument, _moment(entry)), []).append(entry)
    highest = {id(of_moment[-1]): of_moment for of_moment in together.values() if len(of_moment) > 1}
    for entry in entries:
        others = {other.total for other in highest.get(id(entry), ()) if other.total is not None} - {entry.total}
        flags = tuple(contradictory_flag(total) for total in sorted(others))
        yield msgspec.structs.replace(entry, flags=(*entry.flags, *flags)) if flags else entry


def _moment(assessment: Assessment) -> tuple[date, date, datetime]:
    day = assessment.day or _UNDATED
    return day.first, day.last, instant(assessment.moment) or _NO_MOMENT
