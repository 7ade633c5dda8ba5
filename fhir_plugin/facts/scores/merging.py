"""Assessments put together: what was recorded twice is one, what contradicts is flagged, oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from heapq import heappop, heappush
from operator import itemgetter

import msgspec

from fhir_plugin.facts.scores.assessment import Assessment, value_of
from fhir_plugin.facts.scores.survey_observations import GatheredAnswers, contradictory_flag
from fhir_plugin.record.dates import DaySpan, instant
from mappings.schema.instruments import Instruments

_UNDATED = DaySpan(date.min, date.min)
_NO_MOMENT = datetime.min.replace(tzinfo=UTC)


class AssessmentCollector:
    """Collects assessments and merges duplicates.

    An assessment read from Observations is the same as an earlier one that it is derived from; or, on one day, of the
    same instant, or with the same value where one of the two has no time or is a response that no Observation records
    yet. What may be the same is looked up by these keys, because a record may hold thousands of one day.
    """

    def __init__(self, instruments: Instruments, assessments: Iterable[Assessment]) -> None:
        self._instruments = instruments
        self._assessments = list(assessments)
        self._times = [instant(assessment.moment) for assessment in self._assessments]
        self._changes = [0] * len(self._assessments)
        """How often each was merged: what was noted under its earlier keys does not count any more."""
        self._recorded_as: dict[int, dict[str, None]] = {}
        self._places: dict[tuple[object, ...], list[_Noted]] = {}
        for place in range(len(self._assessments)):
            self._index(place)

    def collected(self) -> Iterator[tuple[Assessment, datetime | None]]:
        """All assessments, each with every Observation that records it, and the time of day if it is known."""
        for place, references in self._recorded_as.items():
            whole = msgspec.structs.replace(self._assessments[place], recorded_as=tuple(references))
            self._assessments[place] = whole
        return zip(self._assessments, self._times, strict=True)

    def merge(self, recorded: Assessment, gathered: GatheredAnswers) -> None:
        """Add an assessment read from Observations, or merge it with the assessment that it records."""
        derived = {
            "/".join((reference.reference or "").rsplit("/", 2)[-2:])
            for source in gathered.sources
            if source.derived_from
            for reference in source.derived_from
        }
        time = instant(recorded.moment)
        place = self._same(recorded, time, derived)
        if place is None:
            self._assessments.append(recorded)
            self._times.append(time)
            self._changes.append(0)
            self._index(len(self._assessments) - 1)
        else:
            self._join(place, recorded, time)

    def _join(self, place: int, recorded: Assessment, time: datetime | None) -> None:
        existing = self._assessments[place]
        references = self._recorded_as.setdefault(place, dict.fromkeys(existing.recorded_as))
        references |= dict.fromkeys(recorded.recorded_as)
        stays = _stands(existing, recorded, self._instruments)
        self._assessments[place] = _joined(existing, recorded, stays=stays)
        if stays and existing.recorded_as:
            return  # it is still looked up by the same keys
        if not stays:
            self._times[place] = time
        self._changes[place] += 1
        self._index(place)

    def _same(self, recorded: Assessment, time: datetime | None, derived: Iterable[str]) -> int | None:
        """The place of the assessment that is the same: one that no Observation records yet, else the earliest."""
        keys: list[tuple[object, ...]] = [(recorded.instrument, reference) for reference in derived]
        if recorded.day is not None:
            value = (recorded.instrument, recorded.day, recorded.total, recorded.severity)
            keys += [(*value, _Kind.RESPONSE), (*value, _Kind.UNTIMED)]
            # Two Observations with different times are two assessments, for example before and after a session.
            keys.append((*value, _Kind.TIMED) if time is None else (recorded.instrument, recorded.day, time))
        found = [noted for key in keys if (noted := self._first(key)) is not None]
        return min(found)[1] if found else None

    def _first(self, key: tuple[object, ...]) -> _Noted | None:
        """The first that stands under a key, without those that have changed since they were noted there."""
        noted = self._places.get(key)
        while noted:
            _, place, changes = noted[0]
            if self._changes[place] == changes:
                return noted[0]
            heappop(noted)
        return None

    def _index(self, place: int) -> None:
        assessment = self._assessments[place]
        noted = bool(assessment.recorded_as), place, self._changes[place]
        for key in _keys(assessment, self._times[place]):
            heappush(self._places.setdefault(key, []), noted)


_Noted = tuple[bool, int, int]
"""Whether an Observation records the assessment, its place, and how often it had been merged."""


class _Kind(StrEnum):
    """What the time of an assessment is compared with."""

    RESPONSE = "response"
    """A response that no Observation records yet: its time is that of writing."""
    TIMED = "timed"
    UNTIMED = "untimed"


def _keys(assessment: Assessment, time: datetime | None) -> Iterator[tuple[object, ...]]:
    """What an assessment read from Observations is looked up by to find this one."""
    instrument, day = assessment.instrument, assessment.day
    yield instrument, assessment.reference
    if day is None:
        return
    if time is not None:
        yield instrument, day, time
    kind = _Kind.UNTIMED if time is None else _Kind.TIMED
    if assessment.reference.startswith("QuestionnaireResponse/") and not assessment.recorded_as:
        kind = _Kind.RESPONSE
    yield instrument, day, assessment.total, assessment.severity, kind


def _stands(existing: Assessment, recorded: Assessment, instruments: Instruments) -> bool:
    """Whether the earlier of two stands where they disagree: the items of a response decide, else the higher."""
    if existing.reference.startswith("QuestionnaireResponse/"):
        return True
    return _strength(existing, instruments) >= _strength(recorded, instruments)


def _joined(existing: Assessment, recorded: Assessment, *, stays: bool) -> Assessment:
    """One assessment from two; ``stays``: the earlier one stands. The total of the other is a flag."""
    better, other = (existing, recorded) if stays else (recorded, existing)
    flags = dict.fromkeys(better.flags)
    if other.total is not None and better.total != other.total:
        mismatch = f"stored_total_mismatch:{other.total:g}"
        flags[mismatch if _has_items(better) else contradictory_flag(other.total)] = None
    signals = (existing.suicide_item_positive, recorded.suicide_item_positive)
    return msgspec.structs.replace(
        better,
        flags=tuple(flags),
        suicide_item_positive=True if True in signals else False if False in signals else None,
        recorded_as=existing.recorded_as or recorded.recorded_as,
    )


def _strength(assessment: Assessment, instruments: Instruments) -> tuple[bool, bool, float]:
    return assessment.usable, _has_items(assessment), _rank(assessment, instruments)


def _has_items(assessment: Assessment) -> bool:
    return not {None}.issuperset(assessment.items.values())


def _rank(assessment: Assessment, instruments: Instruments) -> float:
    """The total or the rank of the level; below any of them where there is none."""
    return value_of(instruments[assessment.instrument], assessment) if assessment.usable else -1


def in_order(timed: Iterable[tuple[Assessment, datetime | None]], instruments: Instruments) -> Iterator[Assessment]:
    """Oldest first, of one moment the higher last and flagged; undated ones come first, so that none is the latest."""
    entries = [
        (*(entry.day or _UNDATED), time or _NO_MOMENT, _rank(entry, instruments), entry.reference, entry)
        for entry, time in timed
    ]
    entries.sort(key=itemgetter(slice(0, -1)))
    together: dict[tuple[object, ...], list[Assessment]] = {}
    for first, last, time, _, _, entry in entries:
        if entry.total is not None and entry.day is not None:
            together.setdefault((entry.instrument, first, last, time), []).append(entry)
    highest = {id(of_moment[-1]): of_moment for of_moment in together.values() if len(of_moment) > 1}
    for *_, entry in entries:
        yield _flagged(entry, highest[id(entry)]) if id(entry) in highest else entry


def _flagged(highest: Assessment, of_moment: Iterable[Assessment]) -> Assessment:
    """The highest total of a moment with the others as flags."""
    others = {other.total for other in of_moment if other.total is not None} - {highest.total}
    flags = tuple(contradictory_flag(total) for total in sorted(others))
    return msgspec.structs.replace(highest, flags=(*highest.flags, *flags)) if flags else highest
