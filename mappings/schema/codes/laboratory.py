"""Laboratory tests with a positive or negative result: their codes, and how a result is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, Number, Pattern, Reviewed
from mappings.schema.base.files import read_yaml
from mappings.schema.base.kept import KeptByName
from mappings.schema.base.words import any_pattern

LaboratoryResult = Literal["positive", "negative"]

_BELOW, _ABOVE = ("<",), (">", ">=")


class ResultFormat(Entry):
    """How one result is written."""

    words: frozenset[str]
    """In lower case; compared with the whole text, never with a part of it."""
    codes: dict[str, frozenset[str]] = Field(default_factory=dict)
    """By system."""
    patterns: tuple[Pattern, ...] = ()
    """Of a result in words that names what was found: searched in the lower-case text."""

    def is_written(self, text: str) -> bool:
        """Whether a lower-case text says this result."""
        return text in self.words or any(re.search(pattern, text) for pattern in self.patterns)


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
    positive_name: str
    """What a headline calls a positive result."""
    codes: tuple[str, ...] = ()
    """LOINC."""
    named: tuple[Pattern, ...] = ()
    """How a test without such a code is called: searched in its lower-case name."""
    not_named: tuple[Pattern, ...] = ()
    """What such a name must not hold."""
    due_dates: tuple[str, ...] = ()
    """LOINC codes of a date: one to come is positive, one that has passed says nothing."""
    recent_days: Number
    """How long a positive result counts as current."""
    settled_days: Number | None = None
    """How long a later negative result leaves a positive one in doubt; ``None``: not at all."""
    quantity: ResultLevels | None = None
    """How a measured amount is read."""
    positive_first: bool = False
    """Whether a text that says both is positive: negative for one substance, positive for another."""
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
        if not self.codes and not self.named:
            raise ValueError("no codes and no name, so that no result would ever be found")
        for name, written in (("positive", self.positive), ("negative", self.negative)):
            if not written.words and not any(written.codes.values()) and not written.patterns:
                raise ValueError(f"{name}: no words and no codes, so that such a result is never recognised")
        if both := self.positive.words & self.negative.words:
            raise ValueError(f"both positive and negative: {', '.join(sorted(both))}")
        return self


class MeasuredTest(Entry):
    """One test with a number: the fact ``labs.<name>.latest``."""

    title: str
    codes: tuple[str, ...] = Field(min_length=1)
    """LOINC."""
    unit: str
    """UCUM, in which criteria compare."""
    units: dict[str, float]
    """A unit as servers write it, in lower case -> factor to ``unit``."""
    unitless: bool = False
    """Whether a missing unit, or a mere annotation such as ``{score}``, is the unit."""
    lowest: Number
    highest: Number
    """What lies outside is an error of entry."""

    def in_unit(self, value: float, unit: str) -> float | None:
        """The value in our unit; ``None`` if the unit is not known or the value cannot be."""
        plain = unit.strip().lower()
        factor = 1.0 if self.unitless and (not plain or plain.startswith("{")) else self.units.get(plain)
        if factor is None:
            return None
        amount = value * factor
        return amount if self.lowest.value <= amount <= self.highest.value else None


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
    measured: dict[str, MeasuredTest] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _codes_once(self) -> Self:
        coded = [(*test.codes, *test.due_dates) for test in self.tests.values()]
        coded += [test.codes for test in self.measured.values()]
        codes = [code for of_test in coded for code in of_test]
        if twice := {code for code in codes if codes.count(code) > 1}:
            raise ValueError(f"a code of two tests: {', '.join(sorted(twice))}")
        return self

    @cached_property
    def measured_by_code(self) -> Mapping[str, str]:
        """LOINC code -> test with a number."""
        return {code: name for name, test in self.measured.items() for code in test.codes}

    @cached_property
    def by_code(self) -> Mapping[str, str]:
        """LOINC code -> test."""
        return {code: name for name, test in self.tests.items() for code in (*test.codes, *test.due_dates)}

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
            if any(map(form.is_written, plain)) or any(code in form.codes.get(system, ()) for system, code in pairs)
        ]
        if len(results) > 1 and definition.positive_first:
            return "positive"
        return results[0] if len(results) == 1 else None

    def named_test(self, name: str) -> str | None:
        """The test that is called by that name, where it has no code that is known; kept by the name."""
        return self._tests_of_names.of(name, self._test_named)

    def _test_named(self, name: str) -> str | None:
        plain = name.lower()
        return next(
            (
                test
                for test, named, excluded in self._named
                if named.search(plain) and not (excluded and excluded.search(plain))
            ),
            None,
        )

    @cached_property
    def _tests_of_names(self) -> KeptByName[str | None]:
        return KeptByName()

    @cached_property
    def _named(self) -> tuple[tuple[str, re.Pattern[str], re.Pattern[str] | None], ...]:
        """Compiled once: most Observations of a record have no code of a test."""
        return tuple(
            (test, named, any_pattern(definition.not_named))
            for test, definition in self.tests.items()
            if (named := any_pattern(definition.named))
        )


def load_laboratory(path: Path) -> Laboratory:
    """Read ``laboratory.yaml``."""
    return read_yaml(path, Laboratory)
