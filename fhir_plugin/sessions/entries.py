"""Entries that are new in a course: they began, or were first recorded, since its first session. Pure.

* The window begins with the first session, or ``within_days`` before today, whichever is earlier.
* An entry that began in the window is new. One that began earlier, and was recorded in it, is new as well, except where
  it is an event, which then happened before the course.
* An entry without a day, or with a day that may lie on either side, is possible.
* Where an older entry has the same name, the rule says what a new one means: a renewed prescription is no new drug.

Example: first session on 17 November, ``within_days`` 30, today 27 November: the window begins on 28 October.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from fhir_plugin.facts.fact import Evidence, Fact, Presence
from fhir_plugin.record.dates import DaySpan, day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Condition
from fhir_plugin.sessions.hit import Hit
from mappings.schema.load import Knowledge
from mappings.schema.sessions import EntryCheck

_EARLIEST = DaySpan(date.min, date.min)


def recorded_days(record: Record) -> Mapping[str, DaySpan]:
    """The day on which each diagnosis was recorded, by reference."""
    days = ((entry.reference, day_span(entry.recorded_date)) for entry in record.all("conditions", Condition))
    return {reference: day for reference, day in days if day}


def entry_hit(
    check: EntryCheck,
    facts: Iterable[Fact],
    first: date,
    as_of: date,
    recorded: Mapping[str, DaySpan],
    knowledge: Knowledge,
) -> Hit | None:
    """The weightiest entry that the check looks for; the newest of several of the same weight."""
    start = min(first, as_of - timedelta(days=check.within_days.value)) if check.within_days else first
    window = _Window(check, start, recorded)
    hits = [hit for fact in facts for hit in _hits(window, fact, knowledge)]
    return max(hits, key=lambda hit: (not hit.possible, not hit.capped, hit.day or _EARLIEST), default=None)


class _Window(NamedTuple):
    """A check with the first day on which an entry is new."""

    check: EntryCheck
    start: date
    recorded: Mapping[str, DaySpan]

    def newness(self, entry: Evidence) -> bool | None:
        """Whether an entry is certainly (``True``) or perhaps (``False``) new; ``None``: it is old."""
        if entry.day is None:
            return False
        if entry.day.first >= self.start:
            return True
        if entry.day.last >= self.start:
            return False
        return not self.check.event if self._recorded_since(entry) else None

    def older_names(self, entries: Iterable[Evidence]) -> frozenset[str]:
        """The names of what was on the record before the window."""
        renewed = self.check.renewed_days
        earliest = self.start - timedelta(days=renewed.value) if renewed else date.min
        return frozenset(
            _name(entry)
            for entry in entries
            if entry.day and earliest <= entry.day.last < self.start and not self._recorded_since(entry)
        )

    def _recorded_since(self, entry: Evidence) -> bool:
        day = self.recorded.get(entry.reference)
        return day is not None and day.first >= self.start


def _hits(window: _Window, fact: Fact, knowledge: Knowledge) -> Iterator[Hit]:
    if not isinstance(fact.value, Presence):
        return
    check, notes = window.check, knowledge.wording.entries
    entries = _weighed(check, fact.value, {notes[key] for key in check.firm_notes}, knowledge.facts[fact.name].title)
    older = window.older_names(entry.evidence for entry in entries)
    for entry, certain, ended in entries:
        if not check.new:
            yield _hit(entry, possible=not certain, capped=False)
            continue
        newness = window.newness(entry)
        seen_before = _name(entry) in older
        if newness is None or (seen_before and (check.known_before == "silent" or entry.note == notes["reason"])):
            continue
        capped = ended or (seen_before and check.known_before == "review")
        yield _hit(entry, possible=not (certain and newness), capped=capped)


class _WeighedEntry(NamedTuple):
    """An entry, whether it is certain, and whether it is over."""

    evidence: Evidence
    certain: bool
    ended: bool


def _weighed(check: EntryCheck, presence: Presence, firm: set[str], title: str) -> list[_WeighedEntry]:
    """Each entry once. What is over counts only where it is new: an event as it is, else for review.

    An entry in words alone, which bears the title of its topic, is never certain.
    """
    entries: dict[Evidence, tuple[bool, bool]] = {}
    if check.new:
        entries |= dict.fromkeys(presence.past, (True, not check.event))
    for entry in presence.possible:
        if entry.note in firm and entry.name != title:
            entries[entry] = (True, False)
        else:
            entries.setdefault(entry, (False, False))
    entries |= dict.fromkeys(presence.current, (True, False))
    return [_WeighedEntry(entry, certain, ended) for entry, (certain, ended) in entries.items()]


def _name(entry: Evidence) -> str:
    return entry.name or entry.label


def _hit(entry: Evidence, *, possible: bool, capped: bool) -> Hit:
    return Hit(possible=possible, capped=capped, day=entry.day, values={"name": entry.name}, evidence=(entry,))
