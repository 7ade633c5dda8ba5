"""Schemas of the two staging methods."""

from __future__ import annotations

from functools import cached_property

from pydantic import ConfigDict

from mappings.schema.base.entries import Entry, Verification
from mappings.schema.medications.model import MedicationCode


class Steps(Entry):
    """Points by ascending threshold: (threshold, points)."""

    verification: Verification
    source: str
    steps: tuple[tuple[float, int], ...]

    def points(self, value: float) -> int | None:
        """The points of the last threshold that ``value`` reaches; ``None`` below the first."""
        reached = [points for threshold, points in self.steps if value >= threshold]
        return reached[-1] if reached else None


class Severity(Entry):
    """Points by severity, and the diagnosis codes that state it."""

    verification: Verification
    source: str
    points: dict[str, int]
    code_verification: Verification
    icd10: dict[str, str]
    snomed: dict[str, str]


class YesNo(Entry):
    """Points for a treatment that was used or not."""

    verification: Verification
    source: str
    used: int
    not_used: int


class Maudsley(Entry):
    """The Maudsley Staging Method."""

    source: str
    verification: Verification
    note: str
    duration_months: Steps
    severity: Severity
    failures: Steps
    augmentation: YesNo
    ect: YesNo
    bands: tuple[tuple[int, str], ...]


class ThaseRush(Entry):
    """The stages of Thase and Rush."""

    source: str
    verification: Verification
    note: str
    tricyclic: str
    mao_inhibitor: str


class CodeSet(Entry):
    """Codes for one procedure."""

    source: str
    verification: Verification
    codes: tuple[MedicationCode, ...]

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    @cached_property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """The codes as (system, code)."""
        return frozenset((code.system, code.code) for code in self.codes)


class Staging(Entry):
    """Both staging methods and the codes of the procedures that they ask about."""

    maudsley: Maudsley
    thase_rush: ThaseRush
    ect_codes: CodeSet
    tms_codes: CodeSet
