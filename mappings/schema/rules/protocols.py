"""Protocols: which criteria decide about which treatment, in which role and order."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, Grade, Reviewed, Verification
from mappings.schema.base.files import read_named


class Role(StrEnum):
    """How a criterion affects a treatment."""

    REQUIRED = "required"
    """Must be met."""
    CONTRAINDICATION = "contraindication"
    """Must be known not to be met; if met, the treatment is contraindicated."""
    HOLD = "hold"
    """Must be known not to be met; if met, no dose is given until it was corrected or cleared, which may be today."""
    EXPECTED = "expected"
    """Should be met; if known not to be, a reason to review or to weigh, by its weight."""
    CAUTION = "caution"
    """If met, a reason to review or to weigh, by its weight."""
    CONTEXT = "context"
    """Shown if met, and decides nothing."""


StandingKey = Literal["contraindicated", "hold", "review", "not_met", "unknown", "open", "met"]
"""The standings of a treatment, worst first."""


class Weight(StrEnum):
    """How much a caution, or an expectation that is contradicted, weighs; heaviest first."""

    SERIOUS = "serious"
    """It can do harm with the first dose: a reason to review, named before the others."""
    PLAN = "plan"
    """It can change the plan: a reason to review."""
    NOTE = "note"
    """To be weighed; it changes no plan by itself."""


class ClauseWeight(Entry):
    """The weight of a clause, with its source."""

    value: Weight
    source: str
    """Key in ``sources.yaml``: what is known of the danger."""
    verification: Verification


WEIGHED = (Role.CAUTION, Role.EXPECTED)
"""Roles with a weight."""
FORBIDDING = (Role.CONTRAINDICATION, Role.HOLD)
"""Roles of what must be known not to be there."""
AGAINST = (*FORBIDDING, Role.CAUTION)
"""Roles of what speaks against a treatment when it is there."""


class Clause(Entry):
    """One criterion in one role for some treatments."""

    criterion: str
    role: Role
    weight: ClauseWeight | None = None
    """Of a caution and of what is expected; other roles weigh by themselves."""
    treatments: tuple[str, ...] = Field(min_length=1)
    sources: tuple[str, ...]
    grade: Grade
    why: str
    """Why it has this role, for readers of the card's detail."""
    do: str = ""
    """What clears a hold, in a few words that end a headline: ``recheck before any dose``."""
    local: bool = False
    """Whether a site gave it this role."""
    speaks: bool = False
    """Whether this clause, if met, is sufficient reason for a card without an order."""

    @model_validator(mode="after")
    def _weighed(self) -> Self:
        if (self.weight is not None) != (self.role in WEIGHED):
            raise ValueError(f"weight: is given for {' and '.join(role.value for role in WEIGHED)}, and only for these")
        if (self.role is Role.HOLD) != bool(self.do):
            raise ValueError("do: is given for a hold, and only for it")
        return self


class ProtocolParameter(Entry):
    """One number, or a range, of how a treatment is administered."""

    low: float
    high: float | None = None
    """The upper end of a range; ``None``: ``low`` alone."""
    unit: str
    source: str
    verification: Verification
    note: str = ""
    local: bool = False
    """Whether a site replaced our value with it."""

    @property
    def is_positive_range(self) -> bool:
        """Whether it is a number above 0, or a range from lower to higher."""
        return self.low > 0 and (self.high is None or self.low <= self.high)


class PathwayStep(Entry):
    """One step of a pathway, in order."""

    treatment: str
    timing: str
    """When, in words, such as ``within one to two weeks``."""
    why: str
    begins: Literal["now", "planned", "if_needed"]
    """``planned``: ordered with the plan, to begin later; ``if_needed``: only named in it."""


class Pathway(Entry):
    """One treatment pathway, and for which patients."""

    title: str
    all_of: tuple[str, ...] = ()
    """Criteria that must all be met."""
    any_of: tuple[str, ...] = ()
    """Criteria of which one must be met."""
    none_of: tuple[str, ...] = ()
    """Criteria that must be known not to be met."""
    steps: tuple[PathwayStep, ...]
    """Empty if nothing of this protocol is needed."""
    choice: Literal["proposed", "clinician"]
    """``clinician``: never proposed, only listed as a choice with its grade of evidence."""
    sources: tuple[str, ...]
    grade: Grade
    says: str
    """What the source says about it, in our words."""
    headline: str = ""
    """The first line for an opened chart, with ``{treatment}`` and ``{change}`` of the course that it rests on."""

    @property
    def criteria(self) -> tuple[str, ...]:
        """Every criterion that the pathway names."""
        return self.all_of + self.any_of + self.none_of


class Factor(Entry):
    """A question that a clinician weighs, and the criteria that bear on it."""

    question: str
    criteria: tuple[str, ...]
    beyond_the_record: str = ""
    """What the record cannot answer."""
    sources: tuple[str, ...]


class Conflict(Entry):
    """A topic on which the sources disagree, and how it is resolved."""

    topic: str
    positions: dict[str, str]
    """Source key -> what it says, in our words."""
    resolution: str
    treatments: tuple[str, ...]
    """Treatments with which it is shown."""
    criteria: tuple[str, ...] = ()
    """Criteria that raise it, unless all are known not to be met."""
    pathways: tuple[str, ...] = ()
    """Pathways that raise it if they fit."""


class Protocol(Reviewed):
    """The rules of decision according to one source or to this product."""

    id: str
    title: str
    short: str
    """In three or four words, for the last line of a card."""
    sources: tuple[str, ...]
    note: str
    focus: str
    """The treatment to which the answer refers when nothing was ordered."""
    speaks_at: tuple[StandingKey, ...]
    """Standings of the focus that produce a card when a chart is only viewed."""
    speaks_when: tuple[str, ...] = ()
    """Criteria that must all be met for such a card."""
    silent_without: tuple[str, ...] = ()
    """Criteria of which none may be known not to be met for such a card: a patient in remission is offered nothing."""
    treatments: tuple[str, ...]
    clauses: tuple[Clause, ...]
    parameters: dict[str, ProtocolParameter] = Field(default_factory=dict)
    """How the treatments are administered, such as ``tms.sessions``."""
    pathways: dict[str, Pathway] = Field(default_factory=dict)
    """In the order of evaluation; the first that fits is named."""
    factors: dict[str, Factor] = Field(default_factory=dict)
    resolutions: dict[str, str] = Field(default_factory=dict)
    """Conflict -> this protocol's resolution, if it is not the safer one of ``conflicts.yaml``."""

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
