"""Schema of an order check: what is compared, with what, with which tolerance, and what may be corrected."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, Grade, Number, Pattern, Reviewed
from mappings.schema.base.words import any_found, compiled, without

CheckKind = Literal["compare", "contraindicated", "duplicate", "criterion", "companion", "words", "remark", "schedule"]
Measure = Literal["dose_mg", "dose_per_kg", "infusion_minutes", "rate_per_kg", "per_week", "sessions"]
Phase = Literal["", "first", "later", "start", "maintenance"]

_BEFORE_RANGE = r"(?<![\w./])(?<!\d,)"
_RANGE = _BEFORE_RANGE + r"(?P<low>{number})(?:\s*(?:-|–|to|or)\s*(?P<high>{number}))?"
_LOOK_BACK = re.compile(r"(?:\(\?<[!=][^()]*\))*")
"""What a pattern may have before its range and yet be found nowhere but where the number begins."""
_NUMBER = r"0,\d+|\d+,\d{1,2}(?![\d,])|\d+(?:,\d{3})*(?:\.\d+)?|\.\d+"


class ExpectedRange(Entry):
    """An allowed range, from parameters of the protocol, and when it applies."""

    of: tuple[str, ...] = Field(min_length=1)
    """Parameters; the first that the protocol defines gives the range."""
    up_to: str = ""
    """A parameter that raises the upper end."""
    times: str = ""
    per: str = ""
    """Parameters by which the range is multiplied (``times``) and divided (``per``)."""
    phase: Phase = ""
    """``first``, ``later``: relative to the first session; ``start``, ``maintenance``: to a completed course."""
    weeks: tuple[int, int | None] | None = None
    """Weeks since the first session, counted from 1."""
    when: str = ""
    """A criterion that must be met for the range to apply."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Every parameter that is named."""
        return tuple(name for name in (*self.of, self.up_to, self.times, self.per) if name)


class CorrectionRule(Entry):
    """How a value is corrected: to the lowest expected value, or only if there is a single expected value."""

    to: Literal["lowest", "only"]
    round_to: Number
    """Round down to a multiple of this."""
    round_to_unit: str
    """The unit of the doses that are rounded."""


class CheckDefinition(Reviewed):
    """One check of an order."""

    id: str
    title: str
    kind: CheckKind
    treatments: tuple[str, ...] = Field(min_length=1)
    inputs: tuple[str, ...] = ()
    """Inputs that it reads in addition to those of the criteria."""
    sources: tuple[str, ...] = Field(min_length=1)
    grade: Grade
    why: str
    """For reviewers of the knowledge; its numbers are those of the sources."""
    # compare
    measure: Measure | None = None
    unit: str = ""
    expected: tuple[ExpectedRange, ...] = ()
    slack_below: Number | None = None
    slack_above: Number | None = None
    """In percent of the bound."""
    step: Number | None = None
    """The value must be a multiple of this."""
    gross_below: Number | None = None
    gross_above: Number | None = None
    """Beyond these bounds the card is a warning."""
    critical_above: Number | None = None
    """Above this the card is critical, and its summary names this value alone."""
    whole_gross_above: Number | None = None
    whole_critical_above: Number | None = None
    """The same for a dose by weight without a known weight."""
    only_if_stated: bool = False
    """Whether an order that does not state the value is not reported."""
    single_is_fine: bool = False
    """Whether an order for a single session is exempt."""
    dose_in_name: bool = False
    """Whether the product name states the dose of a session."""
    only_routes: tuple[Pattern, ...] = ()
    other_routes: tuple[Pattern, ...] = ()
    """Words of routes to which the check does not apply; ``only_routes`` takes precedence."""
    correct: CorrectionRule | None = None
    # criterion
    criterion: str = ""
    # duplicate
    combines: tuple[tuple[str, ...], ...] = ()
    """Modalities that together are a combination."""
    # words, remark
    says: str = ""
    """What is said: where the words are found, or always."""
    headline: str = ""
    """The same in a few words, for the summary."""
    excluded: tuple[Pattern, ...] = Field(default=(), alias="except")
    """Parts of the instructions that are taken out before."""
    gross: bool = False
    """Whether the words make the card a warning."""
    # companion, words
    holds: tuple[Pattern, ...] = ()
    itself: tuple[Pattern, ...] = ()
    """Beginnings of a service order that is this companion, whatever drug it names."""
    codes: tuple[str, ...] = ()

    def is_for_route(self, instructions: str) -> bool:
        """Whether the check applies to an order with these words of routes and instructions, in lower case."""
        if not self.other_routes or any_found(self._only_routes, instructions):
            return True
        return not any_found(self._other_routes, instructions)

    def is_said(self, text: str) -> bool:
        """Whether its words are in a text in lower case, apart from what it excepts."""
        return any_found(self._holds, without(self._excluded, text))

    def names_companion(self, text: str) -> bool:
        """Whether an order of this name, in lower case, is the companion that it looks for."""
        return any_found(self._holds, text)

    def is_itself(self, text: str) -> bool:
        """Whether a service order of this name, in lower case, is the companion whatever drug it names."""
        return any_found(self._itself, text)

    @cached_property
    def _only_routes(self) -> tuple[re.Pattern[str], ...]:
        return compiled(self.only_routes)

    @cached_property
    def _other_routes(self) -> tuple[re.Pattern[str], ...]:
        return compiled(self.other_routes)

    @cached_property
    def _excluded(self) -> tuple[re.Pattern[str], ...]:
        return compiled(self.excluded)

    @cached_property
    def _holds(self) -> tuple[re.Pattern[str], ...]:
        return compiled(self.holds)

    @cached_property
    def _itself(self) -> tuple[re.Pattern[str], ...]:
        return compiled(self.itself)

    @property
    def numbers(self) -> dict[str, Number]:
        """Every number of the check, by key."""
        named = {
            "slack_below": self.slack_below,
            "slack_above": self.slack_above,
            "step": self.step,
            "gross_below": self.gross_below,
            "gross_above": self.gross_above,
            "critical_above": self.critical_above,
            "whole_gross_above": self.whole_gross_above,
            "whole_critical_above": self.whole_critical_above,
            "correct.round_to": self.correct.round_to if self.correct else None,
        }
        return {key: number for key, number in named.items() if number is not None}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needed = {
            "compare": (self.measure, self.expected),
            "criterion": (self.criterion,),
            "companion": (self.holds,),
            "words": (self.holds, self.says, self.headline),
            "remark": (self.says,),
        }
        if not all(needed.get(self.kind, ())):
            raise ValueError(f"kind: {self.kind} needs other keys, which are missing")
        return self


class Schedule(Entry):
    """A course with a schedule of its own."""

    title: str
    treatments: tuple[str, ...] = Field(min_length=1)
    words: tuple[Pattern, ...] = Field(min_length=1)
    codes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Codes of a day of it, by the short name of their system."""
    per_week: Number
    sessions: Number
    sources: tuple[str, ...] = Field(min_length=1)

    @cached_property
    def _words(self) -> tuple[re.Pattern[str], ...]:
        return compiled(self.words)

    def is_said(self, text: str) -> bool:
        """Whether a text in lower case names it."""
        return any_found(self._words, text)


class Schedules(Reviewed):
    """``_schedules.yaml``."""

    schedules: dict[str, Schedule]

    def of_treatment(self, treatment: str) -> tuple[Schedule, ...]:
        """The schedules of their own that the courses of a treatment may have."""
        return tuple(schedule for schedule in self.schedules.values() if treatment in schedule.treatments)


class MeasurePattern(NamedTuple):
    """One pattern of a measure, and what a text must have for it to be found."""

    pattern: re.Pattern[str]
    needs_number: bool
    begins_with_number: bool


class MeasureReading(Entry):
    """Text patterns for one measure."""

    patterns: tuple[str, ...]
    units: dict[str, float] = Field(default_factory=dict)


class RouteCodes(Entry):
    """Words of coded routes."""

    system: str
    codes: dict[str, str]
    source: str


class OrderReadingRules(Reviewed):
    """``_reading.yaml``."""

    numbers: dict[str, float]
    tens: dict[str, float]
    """Number words that may stand before one to nine: ``thirty six``, ``thirty-six``."""
    measures: dict[str, MeasureReading]
    quantity_units: dict[str, tuple[str, float]]
    rate_units: dict[str, tuple[str, float]]
    routes: RouteCodes
    time_units: dict[str, float]
    period_weeks: dict[str, float]
    same_percent: Number
    rounded_percent: Number
    amount: Pattern
    """Words that state an amount: an order that contains them elsewhere is not corrected."""

    @model_validator(mode="after")
    def _compile(self) -> Self:
        for name, measure in self.measures.items():
            for pattern in measure.patterns:
                try:
                    groups = self.filled(pattern).pattern.groupindex
                except re.error as fault:
                    raise ValueError(f"measures.{name}: not a pattern with a range by itself: {fault}") from fault
                if "unit" in groups and not measure.units:
                    raise ValueError(f"measures.{name}: the pattern reads a unit, but units is empty")
        return self

    def route_words(self, routes: Iterable[Any]) -> tuple[str, ...]:
        """The words of coded routes; of a code of another system the code itself, which may be ``PO`` or ``IV``."""
        codes = (coding for route in routes for coding in route.coding if coding.code)
        words = (
            self.routes.codes.get(coding.code, "") if coding.system == self.routes.system else coding.code
            for coding in codes
        )
        return tuple(word for word in words if word)

    @cached_property
    def _ones(self) -> dict[str, float]:
        """The numbers in words that may stand behind a ten."""
        smallest = min(self.tens.values(), default=0.0) / 2
        return {word: number for word, number in self.numbers.items() if number < smallest}

    @cached_property
    def number_words(self) -> dict[str, float]:
        """Every number in words with its value."""
        joined = {
            f"{ten}{between}{one}": value + number
            for ten, value in self.tens.items()
            for one, number in self._ones.items()
            for between in (" ", "-")
        }
        return {**self.numbers, **self.tens, **joined}

    def filled(self, pattern: str) -> MeasurePattern:
        """A pattern with ``{range}`` filled in by itself, so that it is neither optional nor an alternative."""
        before, needed, after = pattern.partition("{range}")
        if not needed:
            return MeasurePattern(re.compile(pattern), needs_number=False, begins_with_number=False)
        compiled((before, after))  # raises where the range would stand in a group or be repeated
        whole = f"(?:{before}){self._range}(?:{after})"
        return MeasurePattern(
            re.compile(whole), needs_number=True, begins_with_number=bool(_LOOK_BACK.fullmatch(before))
        )

    @cached_property
    def number_starts(self) -> re.Pattern[str]:
        """Every place of a text where a number may begin."""
        return re.compile(rf"{_BEFORE_RANGE}(?=\.?\d|{_any_of((*self.numbers, *self.tens))})")

    @cached_property
    def _range(self) -> str:
        """One number or two; ``thirty six`` is read by its parts, as a list of all such numbers is slow to compile."""
        tens, ones = _any_of(self.tens), _any_of(self._ones)
        words = rf"{_any_of(self.numbers)}|{tens}(?:[ -]{ones})?"
        return _RANGE.replace("{number}", rf"(?:{_NUMBER}|(?:{words})\b)")


def _any_of(words: Iterable[str]) -> str:
    """The words as one pattern, the longest first; nothing where there are none."""
    return f"(?:{'|'.join(sorted(map(re.escape, words), key=len, reverse=True)) or '(?!)'})"
