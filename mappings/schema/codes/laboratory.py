"""Laboratory tests that answer yes or no: their codes, and how a result is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, Number, Reviewed
from mappings.schema.base.files import read_yaml

LaboratoryResult = Literal["positive", "negative"]


class ResultFormat(Entry):
    """How one result is written."""

    words: frozenset[str]
    """In lower case; the whole of what is written, never a part of it."""
    codes: dict[str, frozenset[str]]
    """By system."""


class LaboratoryTest(Entry):
    """One test."""

    title: str
    codes: tuple[str, ...] = Field(min_length=1)
    """LOINC."""
    recent_days: Number
    """For how long a positive result counts as current."""
    positive: ResultFormat
    negative: ResultFormat

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
        """What a result says; ``None`` when nothing known is written, or both."""
        shape = self.tests[test]
        ways: tuple[tuple[LaboratoryResult, ResultFormat], ...] = (
            ("positive", shape.positive),
            ("negative", shape.negative),
        )
        pairs = [(self._canonical.get(system or "", ""), code) for system, code in codes]
        plain = {" ".join(word.lower().split()).rstrip(".") for word in words if word}
        found: list[LaboratoryResult] = [
            name
            for name, way in ways
            if plain & way.words or any(code in way.codes.get(system, ()) for system, code in pairs)
        ]
        return found[0] if len(found) == 1 else None


def load_laboratory(path: Path) -> Laboratory:
    """Read ``laboratory.yaml``."""
    return read_yaml(path, Laboratory)
