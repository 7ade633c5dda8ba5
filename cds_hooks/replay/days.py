"""Days and times of one patient, moved by an amount of that patient's own; none points to a great age."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?)?)?")
_CLOCK = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?(\D.*)?")
_MIDDLE_MONTH, _MIDDLE_DAY = 7, 15
_YEAR, _MONTH = 1, 2
"""How many parts of a date are known."""
_WHOLE_DAY = timedelta(days=1)
_MIDNIGHT = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Calendar:
    """How the dates of one request are moved."""

    shift: timedelta
    begins: int
    """Minutes after midnight to which midnight is moved; times keep their order within the day."""
    ends: int
    """Minutes before the next midnight to which the end of the day is moved."""
    day: date
    """The moved day of the call."""
    oldest: int
    """The highest age that is kept: no moved date is more years before ``day``."""

    @property
    def earliest(self) -> date:
        """The first moved date."""
        return years_before(self.day, self.oldest)

    def moved_birth(self, text: str) -> str | None:
        """The moved date of a birth: the age on the day of the call stays, also on a birthday."""
        match = _DATE.fullmatch(text)
        if match is None or not match[3]:
            return self.moved(text)
        try:
            today, born = self.day - self.shift, date.fromisoformat(text[: len("2000-01-01")])
        except ValueError:
            return None
        years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
        if not 0 <= years < self.oldest:
            return self.moved(text)
        return (years_before(self.day, years) - (today - years_before(born, -years))).isoformat()

    def moved(self, text: str) -> str | None:
        """The moved date as precise as it was, ``None`` if it is no date; a month or year is moved from its middle."""
        match = _DATE.fullmatch(text)
        if match is None:
            return None
        year, month, day, clock = match.groups()
        try:
            moved = date(int(year), int(month or _MIDDLE_MONTH), int(day or _MIDDLE_DAY)) + self.shift
        except (ValueError, OverflowError):
            return None
        moved = max(moved, self.earliest)
        parts = 1 + bool(month) + bool(day)
        if parts == _YEAR:
            return moved.strftime("%Y")
        if parts == _MONTH:
            return moved.strftime("%Y-%m")
        return f"{moved.isoformat()}T{self.moved_time(clock[1:])}" if clock else moved.isoformat()

    def moved_time(self, clock: str) -> str:
        """A time of day at another place of its day; equal times stay equal, and earlier ones earlier."""
        match = _CLOCK.fullmatch(clock)
        if match is None:
            return "00:00:00"
        hours, minutes, seconds, fraction, zone = match.groups()
        time = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(f"{seconds or 0}.{fraction or 0}"))
        length = _WHOLE_DAY - timedelta(minutes=self.begins + self.ends)
        moved = timedelta(minutes=self.begins) + time * (length / _WHOLE_DAY)
        return f"{(_MIDNIGHT + moved).time().isoformat('microseconds')}{zone or ''}"


def years_before(day: date, years: int) -> date:
    """The same day so many years earlier."""
    return day.replace(year=day.year - years, day=min(day.day, monthrange(day.year - years, day.month)[1]))
