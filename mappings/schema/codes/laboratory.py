"""Laboratory tests with a positive or negative result: their codes, and how a result is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, Number, Reviewed
from mappings.schema.base.files import read_yaml

LaboratoryResult = Literal["positive", "negative"]

_BELOW, _ABOVE = ("<",), (">", ">=")


class ResultFormat(Entry):
    """How one result is written."""

    words: frozenset[str]
    """In lower case; compared with the whole text, never with a part of it."""
    codes: dict[str, frozenset[str]]
    """By system."""


class ResultLevels(Entry):
    """From which amount on a result is positive, and below which it is negative; between them it is open."""

    units: dict[str, float]
    """A unit as servers write it, in lower case -> factor to the unit of the limits."""
    negative_below: Number
    positive_above: Number

    def result(self, value: float, unit: str, comparator: str | None = None) -> LaboratoryResult | None:
        """The result of an amount; ``None`` if it may lie between the limits or its unit is not known."""
        factor = self.units.get(unit.strip().lower())
        if factor is None:
            return None
        amount, low, high = value * factor, self.negative_below.value, self.positive_above.value
        if comparator:
            is_negative = comparator in _BELOW and amount <= low
            is_positive = comparator in _ABOVE and amount >= high
        else:
            is_negative, is_positive = amount < low, amount > high
        return "negative" if is_negative else "positive" if is_positive else None


class LaboratoryTest(Entry):
    """One test."""

    title: str
    named: str
    """What a headline calls a positive result."""
    codes: tuple[str, ...] = Field(min_length=1)
    """LOINC."""
    recent_days: Number
    """How long a positive result counts as current."""
    settled_days: Number | None = None
    """How long a later negative result leaves a positive one in doubt; ``None``: not at all."""
    quantity: ResultLevels | None = None
    """How a measured amount is read."""
    positive: ResultFormat
    negative: ResultFormat

    @property
    def numbers(self) -> dict[str, Number]:
        """Every number of the test, by key in the file."""
        numbers = {"recent_days": self.recent_days}
        if self.settled_days:
            numbers["settled_days"] = self.settled_days
        if self.quantity:
            numbers["quantity.negative_below"] = self.quantity.negative_below
            numbers["quantity.positive_above"] = self.quantity.positive_above
        return numbers

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for name, written in (("positive", self.positive), ("negative", self.negative)):
            if not written.words and not any(written.codes.values()):
                raise ValueError(f"{name}: no words and no codes, so that such a result is never recognised")
        if both := self.positive.words & self.negative.words:
            raise ValueError(f"both positive and negative: {', '.join(sorted(both))}")
        return self


class Laboratory(Reviewed):
    """The tests that are read."""

    source: str
    systems: frozenset[str]
    """Names of LOINC."""
    believed: frozenset[str] = Field(min_length=1)
    """Values of ``Observation.status`` of a result that stands."""
    withdrawn: frozenset[str]
    result_systems: dict[str, tuple[str, ...]]
    """Canonical system of a coded result -> other names for it."""
    tests: dict[str, LaboratoryTest]

    @cached_property
    def by_code(self) -> Mapping[str, str]:
        """LOINC code -> test."""
        return {code: name for name, test in self.tests.items() for code in test.codes}

    @cached_property
    def _canonical(self) -> Mapping[str, str]:
        return {name: system for system, names in self.result_systems.items() for name in (system, *names)}

    def result(
        self, test: str, codes: Iterable[tuple[str | None, str | None]], words: Iterable[str | None]
    ) -> LaboratoryResult | None:
        """The result; ``None`` if neither a known positive nor a known negative is written, or both are."""
        definition = self.tests[test]
        formats: tuple[tuple[LaboratoryResult, ResultFormat], ...] = (
            ("positive", definition.positive),
            ("negative", definition.negative),
        )
        pairs = [(self._canonical.get(system or "", ""), code) for system, code in codes]
        plain = {" ".join(word.lower().split()).rstrip(".") for word in words if word}
        results: list[LaboratoryResult] = [
            name
            for name, form in formats
            if plain & form.words or any(code in form.codes.get(system, ()) for system, code in pairs)
        ]
        return results[0] if len(results) == 1 else None


def load_laboratory(path: Path) -> Laboratory:
    """Read ``laboratory.yaml``."""
    return read_yaml(path, Laboratory)
