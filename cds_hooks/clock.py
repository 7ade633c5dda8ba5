"""The one place where a clock is read."""

from __future__ import annotations

from datetime import date, datetime


def today() -> date:
    """The calendar day where the program runs."""
    return datetime.now().astimezone().date()
