"""Words and style for the course of symptoms."""

from __future__ import annotations

from typing import Self

from mappings.schema.base.entries import Entry
from mappings.schema.instruments.model import SourcedEntry


class TrendWords(Entry):
    """The sentences that describe a course of symptoms; fields in braces are filled in."""

    baseline_at_start: str
    baseline_first: str
    change: str
    one_value: str
    response: str
    no_response: str
    response_unjudged: str
    remission: str
    no_remission: str
    advisory: str
    reached: str
    missed: str
    single_worse: str
    or_reliable: str
    confirmed_worse: str
    reliable_worse: str
    relapse: str
    window: str
    window_few: str
    before: str
    between: str
    during: str
    both: str
    after: str
    group: str
    recall: str
    limits: str


class SessionMark(Entry):
    """Marker for the sessions of one modality."""

    shape: str
    color: str


class JoinWithin(SourcedEntry):
    """The longest interval, in days, over which two values are joined by a line."""

    value: int


class DrawingWords(Entry):
    """The words of the drawing and of its description."""

    title: str
    sessions: str
    suicide: str
    unscored: str
    difference: str
    empty: str
    described: str
    described_one: str
    sessions_described: str


class DrawingStyle(Entry):
    """How the course of symptoms is drawn."""

    join_within_days: JoinWithin
    width: int
    height: int
    narrow_width: int
    """For the side panel of an EHR."""
    shades: tuple[str, ...]
    ink: str
    alarm: str
    sessions: dict[str, SessionMark]
    words: DrawingWords

    @property
    def narrow(self) -> Self:
        """The same style at the narrow width."""
        return self.model_copy(update={"width": self.narrow_width})
