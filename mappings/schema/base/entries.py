"""What every knowledge file has in common."""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from mappings.schema.errors import KnowledgeError as KnowledgeError  # noqa: PLC0414 - modules of knowledge import it from here


class Verification(StrEnum):
    """How well a fact of this knowledge base was checked."""

    SEEN = "seen"
    """Read in the named source."""
    RECALLED = "recalled"
    """Well known, but not looked up again: usable as a parameter, shown with this label."""
    DESIGN = "design"
    """This product's own choice, not a published rule."""


class Entry(BaseModel):
    """A strict, frozen piece of a knowledge file: an unknown key is an error, and a number is finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)


class Reviewed(Entry):
    """A knowledge file with a date by which it must be reviewed again."""

    reviewed: date
    """When it was last compared with its sources."""
    review_due: date
    """From this day on, every card based on it states that the review is overdue."""


def _valid_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as fault:
        raise ValueError(f"not a pattern: {fault}") from fault
    return pattern


Pattern = Annotated[str, AfterValidator(_valid_pattern)]
"""A regular expression."""


class Number(Entry):
    """One number of a rule, with its source."""

    value: float
    source: str
    """Key in ``sources.yaml``."""
    verification: Verification
    note: str = ""
    local: bool = False
    """Whether a site replaced our number with it; set when the site's file is read."""

    def __format__(self, spec: str) -> str:
        return format(self.value, spec or "g")


class SourceKind(StrEnum):
    """The type of publication that a source is."""

    LABEL = "label"
    DEVICE = "device instructions"
    GUIDELINE = "guideline"
    TRIAL = "trial"
    OBSERVATIONAL = "observational study"
    REVIEW = "review"
    CASE = "case report"
    OPINION = "expert opinion"
    MACHINE = "machine-written summary"
    PAYER = "payer policy"
    TERMINOLOGY = "terminology"
    DESIGN = "this product"


class Grade(StrEnum):
    """Certainty of the statements taken from a source, after GRADE."""

    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"
    VERY_LOW = "very low"
    NONE = "not graded"


class Source(Entry):
    """One entry of the bibliography."""

    citation: str
    short: str = ""
    """How a card names it when it compares several sources."""
    kind: SourceKind
    grade: Grade
    supports: str
    """What it actually supports, in our words."""
    read: str
    """How much of it was read: ``in full``, ``abstract``, ``summary by others``, ``not read again``."""
    year: int | None = None
    doi: str | None = None
    url: str | None = None


class Sources(Reviewed):
    """The bibliography."""

    sources: dict[str, Source]
