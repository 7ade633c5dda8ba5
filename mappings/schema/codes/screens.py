"""What positive screens and laboratory numbers make possible: facts ``screens.<name>``, as data. No verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from mappings.schema.base.entries import Entry, Number, Reviewed
from mappings.schema.base.files import read_yaml

SCORE_INPUTS = ("observations", "questionnaireResponses")
ItemNumber = Annotated[str, BeforeValidator(str)]


class ScoreRule(Entry):
    """The last total of an instrument, from a limit on."""

    instrument: str
    at_least: Number
    at_least_male: Number | None = None
    """For men, where their limit differs; who is not known to be a man has the other."""
    days: Number
    """How long it counts."""

    @property
    def numbers(self) -> dict[str, Number]:
        """Every number, by its key in the file."""
        numbers = {"at_least": self.at_least, "days": self.days}
        return numbers | ({"at_least_male": self.at_least_male} if self.at_least_male else {})


class ItemRule(Entry):
    """A positive answer to one of some items, whether or not the others were answered."""

    instrument: str
    items: tuple[ItemNumber, ...] = Field(min_length=1)
    days: Number

    @property
    def numbers(self) -> dict[str, Number]:
        """Every number, by its key in the file."""
        return {"days": self.days}


class ResultRule(Entry):
    """A laboratory test of ``laboratory.yaml`` with a result that is not negative."""

    test: str

    @property
    def numbers(self) -> dict[str, Number]:
        """None of its own: the test knows how long its result counts."""
        return {}


class Points(Entry):
    """The points of one measured number: 1, 2 within ``low`` to ``high``, or 3 on the worse side of that."""

    measured: str
    low: Number
    high: Number
    worse: Literal["above", "below"]

    def of(self, value: float) -> int:
        """The points of a value."""
        beyond, short = value > self.high.value, value < self.low.value
        if self.worse == "below":
            beyond, short = short, beyond
        return 3 if beyond else 1 if short else 2


class PointsRule(Entry):
    """The sum of points of several numbers, with the least of what no laboratory measures, from a limit on."""

    points: tuple[Points, ...] = Field(min_length=1)
    besides: Number
    at_least: Number
    days: Number

    @property
    def numbers(self) -> dict[str, Number]:
        """Every number, by its key in the file."""
        numbers = {"besides": self.besides, "at_least": self.at_least, "days": self.days}
        return numbers | {
            f"{part.measured}.{side}": getattr(part, side) for part in self.points for side in ("low", "high")
        }


ScreenRule = ScoreRule | ItemRule | ResultRule | PointsRule


class Screen(Entry):
    """One thing that screens make possible."""

    title: str
    name: str
    """What an entry is called on a card."""
    inputs: tuple[str, ...] = SCORE_INPUTS
    rules: tuple[ScreenRule, ...] = Field(min_length=1)


class ScreenNotes(Entry):
    """Notes on the evidence; ``{short}``, ``{total}``, ``{item}`` and ``{points}`` are filled in."""

    score: str
    item: str
    points: str


class Screens(Reviewed):
    """All screens."""

    notes: ScreenNotes
    screens: dict[str, Screen]

    @property
    def numbers(self) -> Iterator[tuple[str, Number]]:
        """Every number with its place in the file."""
        for name, screen in self.screens.items():
            for place, rule in enumerate(screen.rules):
                for key, number in rule.numbers.items():
                    yield f"screens.{name}.rules[{place}].{key}", number

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.screens:
            raise ValueError("screens: there is none")
        return self


def load_screens(path: Path) -> Screens:
    """Read ``screens.yaml``."""
    return read_yaml(path, Screens)
