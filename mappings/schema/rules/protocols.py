"""Protocols: which criteria decide about which treatment, in which role and order."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field

from mappings.schema.base.entries import Entry, Grade, Reviewed, Verification
from mappings.schema.base.files import read_named


class Role(StrEnum):
    """What a criterion does to a treatment."""

    REQUIRED = "required"
    """Must be met."""
    CONTRAINDICATION = "contraindication"
    """Must be known not to be met; met, the treatment is contraindicated."""
    EXPECTED = "expected"
    """Should be met; not met or unknown it is shown, and decides nothing."""
    CAUTION = "caution"
    """Is shown when met or unknown, and decides nothing."""
    CONTEXT = "context"
    """Is shown when met, and decides nothing."""


class Clause(Entry):
    """One criterion in one role for some treatments."""

    criterion: str
    role: Role
    treatments: tuple[str, ...] = Field(min_length=1)
    sources: tuple[str, ...]
    grade: Grade
    why: str
    """Why it has this role, for the reader of the card's detail."""
    local: bool = False
    """Whether a site gave it this role."""
    speaks: bool = False
    """Whether this clause, when it is met, is reason enough to speak without an order."""


class ProtocolParameter(Entry):
    """One number, or a range, of how a treatment is given."""

    low: float
    high: float | None = None
    """The upper end of a range; ``None``: ``low`` alone."""
    unit: str
    source: str
    verification: Verification
    note: str = ""
    local: bool = False
    """Whether a site put it in the place of ours."""

    @property
    def is_positive_range(self) -> bool:
        """Whether it is a number above 0, or a range from lower to higher."""
        return self.low > 0 and (self.high is None or self.low <= self.high)


class PathwayStep(Entry):
    """One thing to do in a pathway, in its order."""

    treatment: str
    timing: str
    """When, in words, such as ``within one to two weeks``."""
    why: str
    begins: Literal["now", "planned", "if_needed"]
    """``planned``: ordered with the plan, to begin at its time; ``if_needed``: only named in it."""


class Pathway(Entry):
    """One way to go on, and for whom."""

    title: str
    all_of: tuple[str, ...] = ()
    """Criteria that must all be met."""
    any_of: tuple[str, ...] = ()
    """Criteria of which one must be met."""
    none_of: tuple[str, ...] = ()
    """Criteria that must be known not to be met."""
    steps: tuple[PathwayStep, ...]
    """None: nothing of this protocol is needed."""
    choice: Literal["proposed", "clinician"]
    """``clinician``: never proposed, only named as a choice under its grade of evidence."""
    sources: tuple[str, ...]
    grade: Grade
    says: str
    """What the source says of it, in our words."""

    @property
    def criteria(self) -> tuple[str, ...]:
        """Every criterion that the pathway names."""
        return self.all_of + self.any_of + self.none_of


class Factor(Entry):
    """A question that a clinician weighs, and the criteria that say something about it."""

    question: str
    criteria: tuple[str, ...]
    beyond_the_record: str = ""
    """What the record cannot answer."""
    sources: tuple[str, ...]


class Conflict(Entry):
    """A matter on which the sources disagree, and what is done about it."""

    topic: str
    positions: dict[str, str]
    """Source key -> what it says, in our words."""
    resolution: str
    treatments: tuple[str, ...]
    """Treatments beside which it is shown."""
    criteria: tuple[str, ...] = ()
    """Findings that raise it, unless all are false,"""
    pathways: tuple[str, ...] = ()
    """and ways to go on that raise it where they fit."""


class Protocol(Reviewed):
    """A way to decide, as one source or this product holds it."""

    id: str
    title: str
    sources: tuple[str, ...]
    note: str
    focus: str
    """The treatment whose verdict is the answer when nothing was ordered."""
    speaks_at: tuple[Literal["contraindicated", "not_met", "unknown", "met"], ...]
    """Standings of the focus that are worth a card when a chart is only viewed,"""
    speaks_when: tuple[str, ...] = ()
    """provided that these criteria are all met."""
    treatments: tuple[str, ...]
    clauses: tuple[Clause, ...]
    parameters: dict[str, ProtocolParameter] = Field(default_factory=dict)
    """How the treatments are given, such as ``tms.sessions``."""
    pathways: dict[str, Pathway] = Field(default_factory=dict)
    """In the order in which they are tried; the first that fits is the one named."""
    factors: dict[str, Factor] = Field(default_factory=dict)
    resolutions: dict[str, str] = Field(default_factory=dict)
    """Conflict -> what this protocol does, where it is not the safer resolution of ``conflicts.yaml``."""

    @property
    def weakest_grade(self) -> Grade:
        """The weakest grade among the clauses that are required; not graded where there are none."""
        grades = (clause.grade for clause in self.clauses if clause.role is Role.REQUIRED)
        return max(grades, key=list(Grade).index, default=Grade.NONE)


class Conflicts(Reviewed):
    """Every matter on which the two documents, or a document and a label, disagree."""

    conflicts: dict[str, Conflict]


def load_protocols(folder: Path) -> Mapping[str, Protocol]:
    """Every protocol of a folder by id; the name of a file is its id."""
    return read_named(folder, Protocol)
