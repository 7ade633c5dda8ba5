"""The shape of a check of an order: what is compared, with what, how exactly, and what may be corrected."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, Grade, Number, Reviewed
from mappings.schema.treatments.model import Pattern

CheckKind = Literal["compare", "contraindicated", "duplicate", "criterion", "companion"]
Measure = Literal["dose_mg", "dose_per_kg", "infusion_minutes", "rate_per_kg", "per_week", "sessions"]
Phase = Literal["", "first", "later", "start", "maintenance"]

_RANGE = r"(?<![\w./])(?<!\d,)(?P<low>{number})(?:\s*(?:-|–|to|or)\s*(?P<high>{number}))?"
_NUMBER = r"0,\d+|\d+,\d{1,2}(?![\d,])|\d+(?:,\d{3})*(?:\.\d+)?|\.\d+"


class ExpectedRange(Entry):
    """A range that an order may lie in, from parameters of the protocol, and for whom."""

    of: tuple[str, ...] = Field(min_length=1)
    """Parameters; the first that the protocol has gives the range."""
    up_to: str = ""
    """A parameter that moves the upper end up."""
    times: str = ""
    per: str = ""
    """Parameters by which the range is multiplied or divided."""
    phase: Phase = ""
    """``first``, ``later``: before and after the first session; ``start``, ``maintenance``: and a completed course."""
    weeks: tuple[int, int | None] | None = None
    """Weeks since the first session, the first of them week 1."""
    when: str = ""
    """A criterion that must be met."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Every parameter that is named."""
        return tuple(name for name in (*self.of, self.up_to, self.times, self.per) if name)


class CorrectionRule(Entry):
    """How a value is corrected: to the lowest that is expected, or only where one single value is."""

    to: Literal["lowest", "only"]
    round_to: Number
    """Down to a multiple of it,"""
    round_to_unit: str
    """where the dose is in this unit."""


class CheckDefinition(Reviewed):
    """One check of an order."""

    id: str
    title: str
    kind: CheckKind
    treatments: tuple[str, ...] = Field(min_length=1)
    inputs: tuple[str, ...] = ()
    """Inputs that it reads beside those of the criteria."""
    sources: tuple[str, ...] = Field(min_length=1)
    grade: Grade
    why: str
    """For the reader of the knowledge; its numbers are those of the sources."""
    # compare
    measure: Measure | None = None
    unit: str = ""
    expected: tuple[ExpectedRange, ...] = ()
    slack_below: Number | None = None
    slack_above: Number | None = None
    """In percent of the bound."""
    step: Number | None = None
    """What the value must be a multiple of."""
    gross_below: Number | None = None
    gross_above: Number | None = None
    """Beyond these the card warns."""
    only_if_stated: bool = False
    """Whether nothing is said of an order that does not state it."""
    single_is_fine: bool = False
    """Whether an order for one session alone is not judged."""
    dose_in_name: bool = False
    """Whether the name of the product tells the dose of a session."""
    only_routes: tuple[Pattern, ...] = ()
    other_routes: tuple[Pattern, ...] = ()
    """Words of routes for which the check is not made; those of ``only_routes`` win."""
    correct: CorrectionRule | None = None
    # criterion
    criterion: str = ""
    # companion
    holds: tuple[Pattern, ...] = ()
    itself: tuple[Pattern, ...] = ()
    """How an order for a service begins that is this companion, whatever drug it names."""
    codes: tuple[str, ...] = ()

    @property
    def numbers(self) -> dict[str, Number]:
        """Every number of the check by its key."""
        named = {
            "slack_below": self.slack_below,
            "slack_above": self.slack_above,
            "step": self.step,
            "gross_below": self.gross_below,
            "gross_above": self.gross_above,
            "correct.round_to": self.correct.round_to if self.correct else None,
        }
        return {key: number for key, number in named.items() if number is not None}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needed = {"compare": (self.measure, self.expected), "criterion": (self.criterion,), "companion": (self.holds,)}
        if not all(needed.get(self.kind, ())):
            raise ValueError(f"kind: {self.kind} lacks what it is made with")
        return self


class MeasureReading(Entry):
    """How words say one measure."""

    patterns: tuple[str, ...]
    units: dict[str, float] = Field(default_factory=dict)


class OrderReadingRules(Reviewed):
    """``_reading.yaml``."""

    numbers: dict[str, float]
    measures: dict[str, MeasureReading]
    quantity_units: dict[str, tuple[str, float]]
    rate_units: dict[str, tuple[str, float]]
    time_units: dict[str, float]
    period_weeks: dict[str, float]
    same_percent: Number
    rounded_percent: Number
    amount: Pattern
    """Words that state an amount: an order that holds them elsewhere is not corrected."""

    @model_validator(mode="after")
    def _compile(self) -> Self:
        for name, measure in self.measures.items():
            for pattern in measure.patterns:
                groups = re.compile(self.filled(pattern)).groupindex
                if "unit" in groups and not measure.units:
                    raise ValueError(f"measures.{name}: a unit is read and none is known")
        return self

    def filled(self, pattern: str) -> str:
        """A pattern with ``{range}`` filled in."""
        words = "|".join(sorted(map(re.escape, self.numbers), key=len, reverse=True))
        return pattern.replace("{range}", _RANGE.replace("{number}", f"(?:{_NUMBER}|(?:{words})\\b)"))
