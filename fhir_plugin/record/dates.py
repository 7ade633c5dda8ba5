"""FHIR dates as spans of possible days.

A FHIR ``date`` or ``dateTime`` may have only a year, or a year and a month. Comparing such a date with a day has
three possible answers, so it is kept as a span of days. The day is the local one as written: it is not converted to
another time zone, which could move a treatment to the day before.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime
from typing import NamedTuple


class DaySpan(NamedTuple):
    """The first and the last possible day of a partial date; equal for a full date."""

    first: date
    last: date

    def __str__(self) -> str:
        if self.first == self.last:
            return self.first.isoformat()
        if (self.first.month, self.last.month) == (1, 12):
            return f"{self.first.year}"
        return f"{self.first.year}-{self.first.month:02d}"

    def days_before(self, day: date) -> tuple[int, int]:
        """The minimum and maximum number of whole days from this date to ``day`` (negative if ``day`` is earlier)."""
        return (day - self.last).days, (day - self.first).days


def is_within(day: DaySpan | None, days: float, as_of: date) -> bool:
    """Whether a date is known, and certainly at most so many days before ``as_of``."""
    return day is not None and day.days_before(as_of)[1] <= days


_DAY, _MONTH, _YEAR = len("2024-03-01"), len("2024-03"), len("2024")


def day_span(text: str | None) -> DaySpan | None:
    """Parse a FHIR date or dateTime; ``None`` if it is missing or not a calendar date."""
    if not text:
        return None
    try:
        if len(text) >= _DAY:
            day = date.fromisoformat(text[:_DAY])
            return DaySpan(day, day)
        if len(text) == _MONTH and text[_YEAR] == "-":
            year, month = int(text[:_YEAR]), int(text[_YEAR + 1 :])
            return DaySpan(date(year, month, 1), date(year, month, monthrange(year, month)[1]))
        if len(text) == _YEAR:
            return DaySpan(date(int(text), 1, 1), date(int(text), 12, 31))
    except ValueError:
        return None
    return None


def ordinal_span(text: str | None) -> tuple[int, int] | None:
    """The first and the last day of :func:`day_span`, as ordinals."""
    if text and len(text) >= _DAY:
        try:
            day = date.fromisoformat(text[:_DAY]).toordinal()
        except ValueError:
            return None
        return day, day
    span = day_span(text)
    return (span.first.toordinal(), span.last.toordinal()) if span else None


def instant(text: str | None) -> datetime | None:
    """A dateTime with a time of day, in UTC for comparison; ``None`` for a date without a time."""
    if not text or "T" not in text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
