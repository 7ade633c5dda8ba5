"""How a day is written in a sentence, from the words of a knowledge file."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from mappings.schema.base.entries import Entry


class ShortDates(Entry):
    """A day as a clinician writes it; the year stands with it unless it is the current one."""

    months: tuple[str, ...] = Field(min_length=12, max_length=12)
    this_year: str
    other_year: str

    def write(self, day: date, as_of: date) -> str:
        """The day, as read on ``as_of``."""
        template = self.this_year if day.year == as_of.year else self.other_year
        return template.format(day=day.day, month=self.months[day.month - 1], year=day.year)
