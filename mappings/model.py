"""The error of a wrong knowledge file, and what every knowledge file has in common."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class KnowledgeError(Exception):
    """A knowledge file is wrong. The message names the file and the key; nothing starts until it is mended."""


class Verification(StrEnum):
    """How well a fact of this knowledge base was checked."""

    SEEN = "seen"
    """Read in the source that is named."""
    RECALLED = "recalled"
    """Well known, not read again: use as a parameter, show the label."""
    DESIGN = "design"
    """This product's own choice, not a published rule."""


class Entry(BaseModel):
    """A strict, frozen piece of a knowledge file: an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Reviewed(Entry):
    """A knowledge file that somebody answers for until a date."""

    reviewed: date
    """When it was last held against its sources."""
    review_due: date
    """From this day on every card that rests on it says that the review is overdue."""
