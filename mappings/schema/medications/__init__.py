"""Medication knowledge: ingredients, products, doses, durations and the words of a sig, read once and frozen.

The tables are CSV and YAML files in ``mappings/medications``; every number in them has its source and how well it was
checked. ``load_medications`` reads a site's own folder of the same structure. Knows no instrument, no
treatment and no rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mappings.schema.base.entries import KnowledgeError
from mappings.schema.base.files import KNOWLEDGE, read_yaml
from mappings.schema.medications.model import (
    CodeSystemNames,
    CountingParameter,
    DoseUnit,
    Episodes,
    Equivalent,
    Ingredient,
    MedicationCode,
    MedicationSource,
    Minimum,
    NonDepressionUse,
    Product,
    ProductPart,
    PsychotropicHints,
    Statuses,
    TextRule,
    TimingCodes,
    TrialPolicies,
    TrialPolicy,
)
from mappings.schema.medications.recognition import DrugNames, RecognitionRules, read_drug_names
from mappings.schema.medications.staging import CodeSet, Maudsley, Staging
from mappings.schema.medications.tables import (
    NdcTable,
    read_atc,
    read_ingredients,
    read_minimums,
    read_names,
    read_ndc,
    read_other_products,
    read_products,
    read_sig_words,
)
from mappings.schema.medications.words import ReasonWords, SigToken, SigWord, SigWords, StopReasonWords, TrialWording

__all__ = [
    "FOLDER",
    "CodeSet",
    "Maudsley",
    "MedicationCode",
    "Medications",
    "Minimum",
    "Product",
    "ProductPart",
    "ReasonWords",
    "SigToken",
    "SigWord",
    "Staging",
    "StopReasonWords",
    "TrialPolicy",
    "load_medications",
]

FOLDER = KNOWLEDGE / "medications"


@dataclass(frozen=True, eq=False)
class Medications:
    """All medication knowledge; equal only to itself, so that results derived from it can be cached."""

    ingredients: Mapping[str, Ingredient]
    products: Mapping[str, Product]
    """By RxCUI."""
    other_products: frozenset[str]
    """RxCUIs of products that are none of the drugs that matter."""
    ndc: NdcTable
    atc: Mapping[str, str]
    """ATC code to ingredient."""
    names: Mapping[str, tuple[tuple[tuple[str, ...], Product], ...]]
    """Names as written in text: by first word, the words of the name and its product, longest first."""
    recognised: DrugNames
    """Every name that is recognised, of whatever drug."""
    minimums: Mapping[tuple[str, str], tuple[Minimum, ...]]
    """By ingredient and formulation."""
    equivalents: Mapping[tuple[str, str], Equivalent]
    uses: Mapping[str, NonDepressionUse]
    parameters: Mapping[str, CountingParameter]
    policies: Mapping[str, TrialPolicy]
    default_policy: str
    units: Mapping[str, DoseUnit]
    timing: TimingCodes
    sig_words: Mapping[str, tuple[SigWord, ...]]
    """The vocabulary of text sigs by first word, longest phrase first."""
    reasons: ReasonWords
    wording: TrialWording
    staging: Staging
    hints: PsychotropicHints
    systems: CodeSystemNames
    text_rules: tuple[TextRule, ...]
    statuses: Statuses
    episodes: Episodes
    sources: Mapping[str, MedicationSource]

    def policy(self, name: str | None) -> TrialPolicy:
        """The duration policy of that name; the default for ``None``. Raises ``KeyError`` for an unknown name."""
        return self.policies[name or self.default_policy]

    def minimum(self, ingredient: str, formulation: str, policy: TrialPolicy) -> Minimum | None:
        """The minimum adequate dose from the first instrument of the policy that has one."""
        form = formulation or self.ingredients[ingredient].default_formulation
        minimums = self.minimums.get((ingredient, form)) or self.minimums.get((ingredient, "")) or ()
        for instrument in (*policy.instruments, "augmentation"):
            for minimum in minimums:
                if minimum.instrument == instrument:
                    return minimum
        return None

    def augmentation_minimum(self, ingredient: str) -> float | None:
        """The lower end of an augmenting agent's dose range in mg/day, if known."""
        for minimum in self.minimums.get((ingredient, ""), ()):
            if minimum.instrument == "augmentation":
                return minimum.mg_per_day
        return None


def load_medications(folder: Path | None = None) -> Medications:
    """Read the tables of ``folder`` (ours by default); :class:`KnowledgeError` names the file at fault."""
    place = folder or FOLDER
    policies = read_yaml(place / "policies.yaml", TrialPolicies)
    ingredients = read_ingredients(place)
    products = read_products(place / "products.csv")
    units = read_yaml(place / "units.yaml", dict[str, DoseUnit])
    equivalents = read_yaml(place / "equivalents.yaml", tuple[Equivalent, ...])
    names = read_names(place)
    own = [" ".join(words) for entries in names.values() for words, _ in entries]
    medications = Medications(
        ingredients=ingredients,
        products=products,
        other_products=read_other_products(place),
        ndc=read_ndc(place),
        atc=read_atc(place),
        names=names,
        recognised=read_drug_names(place, read_yaml(place / "recognising.yaml", RecognitionRules), own),
        minimums=read_minimums(place),
        equivalents={(row.ingredient, row.formulation): row for row in equivalents},
        uses=read_yaml(place / "uses.yaml", dict[str, NonDepressionUse]),
        parameters=read_yaml(place / "parameters.yaml", dict[str, CountingParameter]),
        policies=policies.policies,
        default_policy=policies.default,
        units=units,
        timing=read_yaml(place / "timing_codes.yaml", TimingCodes),
        sig_words=read_sig_words(read_yaml(place / "sig_words.yaml", SigWords), units),
        reasons=read_yaml(place / "reasons.yaml", ReasonWords),
        wording=read_yaml(place / "wording.yaml", TrialWording),
        staging=read_yaml(place / "staging.yaml", Staging),
        hints=read_yaml(place / "hints.yaml", PsychotropicHints),
        systems=read_yaml(place / "systems.yaml", CodeSystemNames),
        episodes=read_yaml(place / "episodes.yaml", Episodes),
        statuses=read_yaml(place / "statuses.yaml", Statuses),
        text_rules=read_yaml(place / "text_rules.yaml", tuple[TextRule, ...]),
        sources=read_yaml(place / "sources.yaml", dict[str, MedicationSource]),
    )
    _cross_check(medications)
    return medications


def _cross_check(medications: Medications) -> None:
    for rxcui, product in medications.products.items():
        _check_product(rxcui, product, medications)
    cited = [("minimum_doses.csv", minimum.source) for row in medications.minimums.values() for minimum in row]
    cited += [("parameters.yaml", parameter.source) for parameter in medications.parameters.values()]
    cited += [("policies.yaml", policy.source) for policy in medications.policies.values()]
    cited += [("uses.yaml", use.source) for use in medications.uses.values()]
    for file, source in cited:
        if source not in medications.sources:
            raise KnowledgeError(f"{file}: source {source!r} is not in sources.yaml")
    if medications.default_policy not in medications.policies:
        raise KnowledgeError(f"policies.yaml: default: {medications.default_policy!r} is not a policy")


def _check_product(rxcui: str, product: Product, medications: Medications) -> None:
    for part in product.parts:
        if part.ingredient not in medications.ingredients:
            raise KnowledgeError(f"products.csv: {rxcui}: ingredient {part.ingredient!r} is not in ingredients.csv")
    if product.use and product.use not in medications.uses:
        raise KnowledgeError(f"products.csv: {rxcui}: use {product.use!r} is not in uses.yaml")
