"""Words and style for the course of symptoms."""

from __future__ import annotations

from typing import Self

from mappings.schema.base.entries import Entry
from mappings.schema.base.short_dates import ShortDates
from mappings.schema.instruments.model import SourcedEntry


class OutcomeWords(Entry):
    """What became of a fall from the first value of a period."""

    response: str
    partial: str
    none: str
    response_lost: str
    partial_lost: str


class TrendWords(Entry):
    """The sentences that describe a course of symptoms; fields in braces are filled in."""

    days: ShortDates
    undated: str
    joined: str
    point: str
    up: str
    down: str
    unchanged: str
    percent: str
    alert: str
    suicide_item: str
    suicide_level: str
    suicide_old: str
    worse: str
    worse_twice: str
    worse_once: str
    relapse: str
    lost: str
    plateau: str
    plateau_range: str
    since_last: str
    since_start: str
    one_value: str
    at_start: str
    at_first: str
    path: str
    path_two: str
    path_between: str
    path_value: str
    path_lowest: str
    path_highest: str
    path_again: str
    judged: str
    outcomes: OutcomeWords
    unmeasured: str
    response_unjudged: str
    remission: str
    no_remission: str
    response: str
    advisory: str
    reached: str
    missed: str
    reliable: str
    relapse_rule: str
    window: str
    window_one: str
    window_none: str
    window_unmeasured: str
    last_before: str
    before: str
    between: str
    during: str
    both: str
    after: str
    group: str
    recall: str
    limits: str
    course: str
    sessions_at_least: str
    ended: str
    under_way: str
    course_outcome: str
    course_unjudged: str
    no_course: str
    no_scale: str
    not_whole: str


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
