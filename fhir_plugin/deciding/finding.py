"""What one criterion concludes: met, not met, or unknown with the reason."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

import msgspec

from fhir_plugin.facts.fact import Evidence
from fhir_plugin.record.dates import DaySpan


class Verdict(StrEnum):
    """Whether a statement about the patient holds."""

    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"


def any_of(verdicts: Collection[Verdict]) -> Verdict:
    """Whether one of several statements holds; of none, it is not known."""
    if Verdict.MET in verdicts:
        return Verdict.MET
    return Verdict.NOT_MET if verdicts and Verdict.UNKNOWN not in verdicts else Verdict.UNKNOWN


def all_of(verdicts: Collection[Verdict]) -> Verdict:
    """Whether several statements all hold: not as soon as one does not; of none, it is not known."""
    if Verdict.NOT_MET in verdicts:
        return Verdict.NOT_MET
    return Verdict.MET if verdicts and Verdict.UNKNOWN not in verdicts else Verdict.UNKNOWN


class Doubt(StrEnum):
    """Why a statement is unknown, worst first."""

    UNREAD = "unread"
    """Something that could decide it could not be read."""
    POSSIBLE = "possible"
    """An entry of the record may mean it."""
    MISSING = "missing"
    """Everything was read, and what a record should hold is not there: it has to be measured or listed."""
    ASK = "ask"
    """Everything was read, and it is learnt only by asking: no answer is on the record."""


NOT_THERE = (Doubt.UNREAD, Doubt.MISSING)
"""Doubts that reading or measuring would settle, not a question."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one criterion concludes."""

    criterion: str
    verdict: Verdict
    because: str
    """One plain sentence with values, units and dates; no text of the record."""
    phrase: str = ""
    """The same in a few words, for a headline; empty where a headline has no use for it."""
    value: str = ""
    """What was found: a number with the names of what was measured or counted, or the names of the entries."""
    day: DaySpan | None = None
    """The day of the measurement, or of the newest entry that decides."""
    doubt: Doubt | None = None
    """Why it is unknown; ``None`` unless it is."""
    unread: tuple[str, ...] = ()
    """The inputs that would have to be read whole; empty unless it is unknown for that reason."""
    missing: tuple[str, ...] = ()
    """What the verdict would have needed; empty unless it is unknown."""
    evidence: tuple[Evidence, ...] = ()
    looked_in: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    local: bool = False
    """Whether a number of the criterion is the site's own."""
