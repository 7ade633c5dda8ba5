"""Dates written relative to an anchor day, so that a story never becomes outdated.

::

    T                 the anchor day
    T-30d             thirty days earlier; also w (weeks), mo (months), y (years), and several: T-2y-3mo
    T-30d 09:15       the same day at a quarter past nine (a FHIR dateTime)
    T-3y (year)       only the year, as some records state it; also (month)
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

_MOMENT = re.compile(r"T((?:[+-]\d+(?:d|w|mo|y))*)(?: (\d\d:\d\d)| \((month|year)\))?")
_STEP = re.compile(r"([+-]\d+)(d|w|mo|y)")
_SHOWN = {"year": "%Y", "month": "%Y-%m", None: "%Y-%m-%d"}
_OFFSET = "-05:00"
_MONTHS, _WEEK, _WEEKDAYS = 12, 7, 5


class Moment(NamedTuple):
    """A day, perhaps with the time of day, perhaps known only to the month or year."""

    day: date
    time: str | None = None
    part: str | None = None

    def __str__(self) -> str:
        """As a FHIR date or dateTime."""
        if self.time:
            return f"{self.day.isoformat()}T{self.time}:00{_OFFSET}"
        return self.day.strftime(_SHOWN[self.part])


def read_moment(text: str, anchor: date) -> Moment | None:
    """The moment denoted by ``text`` with ``anchor`` as the day T; ``None`` if it is not in this notation."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    day = anchor
    for amount, unit in _STEP.findall(match[1]):
        day = _moved(day, int(amount), unit)
    return Moment(day, match[2], match[3])


def series(first: Moment, times: int, every: str) -> Iterator[Moment]:
    """``times`` moments from ``first`` on, ``every`` so many days (``3d``) or every ``weekday``."""
    day = first.day
    for _ in range(times):
        if every == "weekday":
            day = _weekday(day)
        yield first._replace(day=day)
        day += timedelta(days=1 if every == "weekday" else int(every.removesuffix("d")))


def _weekday(day: date) -> date:
    return day if day.weekday() < _WEEKDAYS else day + timedelta(days=_WEEK - day.weekday())


def _moved(day: date, amount: int, unit: str) -> date:
    if unit in ("d", "w"):
        return day + timedelta(days=amount * (_WEEK if unit == "w" else 1))
    months = day.year * _MONTHS + day.month - 1 + amount * (_MONTHS if unit == "y" else 1)
    year, month = divmod(months, _MONTHS)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
