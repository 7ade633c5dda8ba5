"""How vital signs are coded: codes, units with their factors, and the plausible range in a living adult."""

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
    """A value outside this range is taken for a recording error and not used."""


class Agreement(Entry):
    """How far two consecutive readings may differ; if they disagree, one is taken for a recording error."""

    percent: Number
    """Of the larger value."""
    days: Number
    """How long the earlier reading is compared with the later one."""

    @property
    def span(self) -> timedelta:
        """``days`` as a timedelta."""
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
    """A unit as servers write it (code unchanged, name in lower case) -> factor to ``unit``."""
    panels: tuple[str, ...] = ()
    components: dict[str, Component]
    agreement: Agreement | None = None
    rising: tuple[str, ...] = ()
    """Components in ascending order of their values, as in any valid reading."""

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
    withdrawn: frozenset[str] = Field(min_length=1)
    """Values of a reading that there never was; one with any other status was measured and is not usable."""
    vital_signs: dict[str, VitalSign]

    @cached_property
    def by_code(self) -> Mapping[str, tuple[str, str]]:
        """LOINC code -> vital sign and component; the component is empty for a panel code."""
        index: dict[str, tuple[str, str]] = {}
        for name, sign in self.vital_signs.items():
            index |= dict.fromkeys(sign.panels, (name, ""))
            for component_name, component in sign.components.items():
                index |= dict.fromkeys(component.codes, (name, component_name))
        return index


def load_vital_signs(path: Path) -> VitalSigns:
    """Read ``vitals.yaml``."""
    return read_yaml(path, VitalSigns)
