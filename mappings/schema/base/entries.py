"""What every knowledge file has in common."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from mappings.schema.errors import KnowledgeError as KnowledgeError  # noqa: PLC0414 - modules of knowledge import it from here


class Verification(StrEnum):
    """How well a fact of this knowledge base was checked."""

    SEEN = "seen"
    """Read in the source that is named."""
    RECALLED = "recalled"
    """Well known, not read again: use as a parameter, show the label."""
    DESIGN = "design"
    """This product's own choice, not a published rule."""


class Entry(BaseModel):
    """A strict, frozen piece of a knowledge file: an unknown key is an error, and a number is finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)


class Reviewed(Entry):
    """A knowledge file that somebody answers for until a date."""

    reviewed: date
    """When it was last held against its sources."""
    review_due: date
    """From this day on every card that rests on it says that the review is overdue."""


class Number(Entry):
    """One number of a rule, with where it comes from."""

    value: float
    source: str
    """Key in ``sources.yaml``."""
    verification: Verification
    note: str = ""
    local: bool = False
    """Whether a site put it in the place of ours; marked when the site's file is read."""

    def __format__(self, spec: str) -> str:
        return format(self.value, spec or "g")


class SourceKind(StrEnum):
    """What sort of text a source is."""

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
    """How much the statements taken from a source can carry, in the manner of GRADE."""

    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"
    VERY_LOW = "very low"
    NONE = "not graded"


class Source(Entry):
    """One entry of the bibliography."""

    citation: str
    short: str = ""
    """How a card names it where several sources are set against each other."""
    kind: SourceKind
    grade: Grade
    supports: str
    """What it really supports, in our words."""
    read: str
    """How much of it was read: ``in full``, ``abstract``, ``summary by others``, ``not read again``."""
    year: int | None = None
    doi: str | None = None
    url: str | None = None


class Sources(Reviewed):
    """The bibliography."""

    sources: dict[str, Source]
