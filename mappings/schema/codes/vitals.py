"""How vital signs are written: codes, units with their factors, and what can be true of a living adult."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, Number, Reviewed
from mappings.schema.base.files import read_yaml


class Component(Entry):
    """One measured number of a vital sign."""

    codes: tuple[str, ...] = Field(min_length=1)
    """LOINC."""
    lowest: Number
    highest: Number
    """Outside of these it is a slip of the pen and is not used."""


class Agreement(Entry):
    """How far two readings in a row may lie apart; one of two that do not agree is taken for a slip."""

    percent: Number
    """Of the larger."""
    days: Number
    """For how long the earlier one is held against the later one."""

    @property
    def span(self) -> timedelta:
        """The days."""
        return timedelta(days=self.days.value)

    def holds(self, one: float, other: float) -> bool:
        """Whether two values agree."""
        return abs(one - other) * 100 <= self.percent.value * max(one, other)


class VitalSign(Entry):
    """One vital sign, alone or as a panel."""

    title: str
    unit: str
    """UCUM."""
    units: dict[str, float]
    """A unit as servers write it (code as it stands, name in lower case) -> factor to ``unit``."""
    panels: tuple[str, ...] = ()
    components: dict[str, Component]
    agreement: Agreement | None = None
    rising: tuple[str, ...] = ()
    """Components in an order that true readings keep, the lower first."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        if not set(self.rising) <= set(self.components):
            raise ValueError("rising: names a component that is not there")
        return self


class VitalSigns(Reviewed):
    """The vital signs that are read."""

    systems: frozenset[str]
    """Names of LOINC."""
    source: str
    statuses: frozenset[str] = Field(min_length=1)
    """Values of ``Observation.status`` that may be believed."""
    vital_signs: dict[str, VitalSign]

    @cached_property
    def by_code(self) -> Mapping[str, tuple[str, str]]:
        """LOINC code -> vital sign and component; no component for the code of a panel."""
        index: dict[str, tuple[str, str]] = {}
        for name, sign in self.vital_signs.items():
            index |= dict.fromkeys(sign.panels, (name, ""))
            for component_name, component in sign.components.items():
                index |= dict.fromkeys(component.codes, (name, component_name))
        return index


def load_vital_signs(path: Path) -> VitalSigns:
    """Read ``vitals.yaml``."""
    return read_yaml(path, VitalSigns)
