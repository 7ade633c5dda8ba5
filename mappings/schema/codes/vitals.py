"""How vital signs are coded: codes, units with their factors, and the plausible range in a living adult."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, Number, Pattern, Reviewed
from mappings.schema.base.files import read_yaml
from mappings.schema.base.kept import KeptByName
from mappings.schema.base.words import any_pattern
from mappings.schema.instruments.model import LOINC


class Component(Entry):
    """One measured number of a vital sign."""

    codes: tuple[str, ...] = Field(min_length=1)
    """LOINC."""
    other_codes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Codes of other systems, by system."""
    named: tuple[Pattern, ...] = ()
    """How it is called where no code is known: searched in the lower-case name."""
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
    other_panels: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Panel codes of other systems, by system."""
    named: tuple[Pattern, ...] = ()
    """How the panel is called where no code is known."""
    not_named: tuple[Pattern, ...] = ()
    """What such a name must not hold: ``goal``, ``pulmonary``."""
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

    source: str
    statuses: frozenset[str] = Field(min_length=1)
    """Values of ``Observation.status`` that may be believed."""
    withdrawn: frozenset[str] = Field(min_length=1)
    """Values of a reading that there never was; one with any other status was measured and is not usable."""
    vital_signs: dict[str, VitalSign]

    def place(self, system: str | None, code: str | None) -> tuple[str, str] | None:
        """The vital sign and the component, empty for a panel, of a code; one without a system is taken for LOINC."""
        return self._by_code.get((system or LOINC, code or ""))

    def named(self, name: str) -> tuple[str, str] | None:
        """The vital sign and the component that a name in words means, if any; kept by the name."""
        return self._places_of_names.of(name, self._place_named)

    def _place_named(self, name: str) -> tuple[str, str] | None:
        plain = name.lower()
        for sign, component, pattern, excluded in self._by_name:
            if pattern.search(plain) and not (excluded and excluded.search(plain)):
                return sign, component
        return None

    @cached_property
    def _places_of_names(self) -> KeptByName[tuple[str, str] | None]:
        return KeptByName()

    @cached_property
    def _by_code(self) -> Mapping[tuple[str, str], tuple[str, str]]:
        """By system and code."""
        index: dict[tuple[str, str], tuple[str, str]] = {}
        for name, sign in self.vital_signs.items():
            lists = [("", {LOINC: sign.panels, **sign.other_panels})]
            lists += [(key, {LOINC: part.codes, **part.other_codes}) for key, part in sign.components.items()]
            for component, by_system in lists:
                index |= {(system, code): (name, component) for system, codes in by_system.items() for code in codes}
        return index

    @cached_property
    def _by_name(self) -> tuple[tuple[str, str, re.Pattern[str], re.Pattern[str] | None], ...]:
        """Components before panels, because their names contain those of the panel."""
        named = []
        for name, sign in self.vital_signs.items():
            excluded = any_pattern(sign.not_named)
            lists = [(key, part.named) for key, part in sign.components.items()] + [("", sign.named)]
            named += [(name, key, found, excluded) for key, pieces in lists if (found := any_pattern(pieces))]
        return tuple(named)


def load_vital_signs(path: Path) -> VitalSigns:
    """Read ``vitals.yaml``."""
    return read_yaml(path, VitalSigns)
