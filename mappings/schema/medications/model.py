"""Schemas of the knowledge about drugs, doses, durations and the codes of a record."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field, field_validator

from mappings.schema.base.entries import Entry, Verification
from mappings.schema.base.systems import system_key


class Ingredient(NamedTuple):
    """One active ingredient, or one fixed combination that counts as a unit."""

    name: str
    label_class: str
    groups: frozenset[str]
    """Such as ``antidepressant``, ``maoi``, ``benzodiazepine``."""
    counts: str
    """``yes``, ``never``, ``if_depression``, ``augmentation``, ``interventional`` or ``no``."""
    low_dose_has_other_use: bool
    """Whether a dose below the minimum is usually for sleep or pain, and so not a switch."""
    maximum: float | None
    """Maximum labelled dose in mg/day (recalled)."""
    default_formulation: str
    """The formulation to assume where none is named."""


class ProductPart(NamedTuple):
    """One ingredient of a product."""

    ingredient: str
    strength: float | None
    """In ``unit``; ``None`` if the code names no strength."""
    unit: str
    """``MG``, ``MG/ML``, ``MG/HR``, ``MG/ACTUAT`` or empty."""


class Product(NamedTuple):
    """The product that a code or a name denotes."""

    parts: tuple[ProductPart, ...]
    formulation: str = ""
    """Key into the minimum doses: ``IR``, ``ER``, ``HCl``, ``HBr``, ``patch``, ``oral``, ``weekly`` or empty."""
    use: str = ""
    """The use other than depression: a key of ``uses.yaml``, or empty."""
    tty: str = ""
    """RxNorm term type; empty for a product from another source."""


class Minimum(NamedTuple):
    """A minimum adequate dose."""

    mg_per_day: float
    instrument: str
    verification: str
    source: str


class CountingParameter(Entry):
    """One number that the counting of trials uses."""

    value: float
    unit: str
    verification: Verification
    source: str
    meaning: str


class TrialPolicy(Entry):
    """How long a trial must last, and the dose tables to use: the first that lists the drug."""

    label: str
    instruments: tuple[str, ...]
    adequate_days: int
    verification: Verification
    source: str


class TrialPolicies(Entry):
    default: str
    policies: dict[str, TrialPolicy]


class NonDepressionUse(Entry):
    """A use of a product other than depression."""

    counts: Literal["never", "if_depression"]
    says: str
    verification: Verification
    source: str


class Equivalent(Entry):
    """A formulation whose effective daily dose differs from the arithmetic mean."""

    ingredient: str
    formulation: str
    mg: float
    every_days: float
    equals_mg_per_day: float
    verification: Verification
    source: str

    @property
    def factor(self) -> float:
        """Multiplier for the arithmetic mean in mg/day."""
        return self.equals_mg_per_day * self.every_days / self.mg


class MedicationSource(Entry):
    """One entry of the bibliography of ``mappings/medications``."""

    citation: str
    verification: Verification


class DoseUnit(Entry):
    """A unit of a dose."""

    dimension: Literal["mg", "unit", "ml", "unknown"]
    factor: float


class MedicationCode(Entry):
    """A code of one system."""

    system: str
    code: str


class TimingCodes(Entry):
    """Administrations per day by timing code, and days by unit of a period."""

    source: str
    verification: Verification
    per_day: dict[str, float]
    period_days: dict[str, float]
    moments: dict[str, str]


class CodeSystemNames(Entry):
    """The names that codings use for their code systems, as :func:`system_key` writes them."""

    rxnorm: frozenset[str]
    ndc: frozenset[str]
    atc: frozenset[str]
    icd10: frozenset[str]
    snomed: frozenset[str]

    @field_validator("*")
    @classmethod
    def _keys(cls, addresses: frozenset[str]) -> frozenset[str]:
        return frozenset(map(system_key, addresses))

    def are_codes(self, system: str | None) -> bool:
        """Whether the codes of a system are known to be codes, and no words."""
        key = system_key(system)
        return any(key in keys for keys in (self.rxnorm, self.ndc, self.atc, self.icd10, self.snomed))


class Episodes(Entry):
    """Which diagnoses date the current depressive episode."""

    source: str
    verification: Verification
    icd10_prefixes: tuple[str, ...]
    icd10_excluded: tuple[str, ...]
    icd10_remission: tuple[str, ...]
    """Full remission, which ends an episode."""
    snomed_remission: frozenset[str]
    clinical_statuses: frozenset[str]
    unverified: frozenset[str]
    snomed: frozenset[str]
    depression_scales: frozenset[str]


class Statuses(Entry):
    """Which statuses mean that a drug was taken (``taken``) or not (``excluded``); no other tells."""

    source: str
    verification: Verification
    order_excluded: frozenset[str]
    order_taken: frozenset[str]
    order_intents_excluded: frozenset[str]
    dispense_excluded: frozenset[str]
    dispense_taken: frozenset[str]
    statement_excluded: frozenset[str]
    statement_taken: frozenset[str]
    administration_excluded: frozenset[str]
    administration_read: frozenset[str]
    stop_extensions: tuple[str, ...]
    """Endings of the URLs of extensions that hold the stop date."""


class TextRule(Entry):
    """What a word next to a drug name implies about the product."""

    ingredient: str
    any_of: frozenset[str]
    strengths: frozenset[float] = frozenset()
    """In MG, if the strength alone is sufficient."""
    formulation: str
    use: str


class PsychotropicHints(Entry):
    """Name stems that make an unknown name look psychotropic."""

    source: str
    verification: Verification
    stems: tuple[str, ...] = Field(min_length=1)
    antidepressant_stems: tuple[str, ...] = Field(min_length=1)
    """Stems that make it look like an antidepressant."""

    def look_psychotropic(self, name: str) -> bool:
        """Whether a name may denote a psychotropic drug."""
        lower = name.lower()
        return self.look_antidepressant(name) or any(stem in lower for stem in self.stems)

    def look_antidepressant(self, name: str) -> bool:
        """Whether a name may denote an antidepressant."""
        lower = name.lower()
        return any(stem in lower for stem in self.antidepressant_stems)
