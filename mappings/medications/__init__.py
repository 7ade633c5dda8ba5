"""Medication knowledge: ingredients, products, doses, durations and the words of a sig, read once and frozen.

Every table stands beside this module as CSV or YAML; every number in them carries its source and how well it was
checked. ``load_medications`` reads a site's own folder in the same shape.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import ConfigDict, Field

from mappings.files import read_csv, read_yaml
from mappings.model import Entry, KnowledgeError, Verification

FOLDER = Path(__file__).parent


class Ingredient(NamedTuple):
    """One active ingredient, or one fixed combination that is tested as a whole."""

    name: str
    label_class: str
    groups: frozenset[str]
    """Such as ``antidepressant``, ``maoi``, ``benzodiazepine``."""
    counts: str
    """``yes``, ``never``, ``if_depression``, ``augmentation``, ``interventional`` or ``no``."""
    low_dose_has_other_use: bool
    """Whether a dose below the minimum usually serves sleep or pain and so is no switch."""
    maximum: float | None
    """Highest labelled mg/day (recalled)."""
    default_formulation: str
    """What is meant where nothing names the formulation."""


class Part(NamedTuple):
    """One ingredient of a product."""

    ingredient: str
    strength: float | None
    """In ``unit``; ``None`` where the code names no strength."""
    unit: str
    """``MG``, ``MG/ML``, ``MG/HR``, ``MG/ACTUAT`` or empty."""


class Product(NamedTuple):
    """What a code or a name stands for."""

    parts: tuple[Part, ...]
    formulation: str = ""
    """Key into the minimum doses: ``IR``, ``ER``, ``HCl``, ``HBr``, ``patch``, ``oral``, ``weekly`` or empty."""
    use: str = ""
    """Why it is taken instead of for depression: a key of ``uses.yaml``, or empty."""
    tty: str = ""
    """RxNorm term type; empty for what came from elsewhere."""


class Minimum(NamedTuple):
    """A minimum adequate dose."""

    mg_per_day: float
    instrument: str
    verification: str
    source: str


class Parameter(Entry):
    """One number that the counting uses."""

    value: float
    unit: str
    verification: Verification
    source: str
    meaning: str


class Policy(Entry):
    """How long a trial must last, and by which tables of doses, the first that knows the drug."""

    label: str
    instruments: tuple[str, ...]
    adequate_days: int
    verification: Verification
    source: str


class _Policies(Entry):
    default: str
    policies: dict[str, Policy]


class Use(Entry):
    """Why a product is not taken for depression."""

    counts: Literal["never", "if_depression"]
    says: str
    verification: Verification
    source: str


class Equivalent(Entry):
    """A formulation whose amount means another daily dose than the arithmetic says."""

    ingredient: str
    formulation: str
    mg: float
    every_days: float
    equals_mg_per_day: float
    verification: Verification
    source: str

    @property
    def factor(self) -> float:
        """What to multiply the arithmetic mean of mg/day with."""
        return self.equals_mg_per_day * self.every_days / self.mg


class Source(Entry):
    """One entry of the bibliography of this folder."""

    citation: str
    verification: Verification


class Unit(Entry):
    """A unit of a dose."""

    dimension: Literal["mg", "unit", "ml", "unknown"]
    factor: float


class Code(Entry):
    """A code of one system."""

    system: str
    code: str


class TimingCodes(Entry):
    """Administrations per day of timing codes, and days of the units of a period."""

    source: str
    verification: Verification
    per_day: dict[str, float]
    period_days: dict[str, float]
    moments: dict[str, str]


class Meaning(Entry):
    """The words and codes that say why a drug was stopped."""

    words: tuple[str, ...]
    """Phrases read in a status reason and in a note."""
    reason_words: tuple[str, ...]
    """Phrases read in a status reason only."""
    codes: tuple[Code, ...]


class Reasons(Entry):
    """How reasons and notes are read."""

    source: str
    verification: Verification
    denials: frozenset[str]
    meanings: dict[str, Meaning]
    depression_indications: tuple[str, ...]
    depression_code_prefixes: tuple[str, ...]


class SigWords(Entry):
    """The vocabulary of text sigs."""

    numbers: dict[str, float]
    per_day: dict[str, float]
    periods: dict[str, float]
    moments: dict[str, str]
    weekdays: tuple[str, ...]
    words: dict[str, tuple[str, ...]]


class Token(NamedTuple):
    """A piece of a text sig that has a part in the grammar."""

    kind: str
    """Its part: ``number``, ``per_day``, ``period``, ``unit``, ``ml``, ``mg``, ``verb``, ..."""
    value: float = 0.0
    """The number, the administrations per day, the days of a period or the factor of a unit."""
    name: str = ""
    """The moment of the day, for ``moment``."""


class SigWord(NamedTuple):
    """One phrase of a text sig."""

    words: tuple[str, ...]
    token: Token


class Wording(Entry):
    """Format strings for what a clinician reads."""

    line: str
    adequate: dict[str, str]
    no_dose: str
    no_minimum: str
    dose: str
    period: str
    ongoing: str
    no_start: str
    evidence: dict[str, str]
    outcomes: dict[str, str]
    because: dict[str, str]
    flags: dict[str, str]


class Steps(Entry):
    """Points by thresholds, ascending: from the first number on, the second."""

    verification: Verification
    source: str
    steps: tuple[tuple[float, int], ...]

    def points(self, value: float) -> int | None:
        """The points of the last threshold that ``value`` reaches; ``None`` below the first."""
        reached = [points for threshold, points in self.steps if value >= threshold]
        return reached[-1] if reached else None


class Severity(Entry):
    """Points of severity, and the diagnosis codes that state it."""

    verification: Verification
    source: str
    points: dict[str, int]
    code_verification: Verification
    icd10: dict[str, str]


class YesNo(Entry):
    """Points of something that was used or not."""

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
    """Codes that mean one procedure."""

    source: str
    verification: Verification
    codes: tuple[Code, ...]

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    @cached_property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """The codes as (system, code)."""
        return frozenset((code.system, code.code) for code in self.codes)


class Staging(Entry):
    """Both staging methods and the procedures that they ask for."""

    maudsley: Maudsley
    thase_rush: ThaseRush
    ect_codes: CodeSet
    tms_codes: CodeSet


class Systems(Entry):
    """How codings name their code systems."""

    rxnorm: frozenset[str]
    ndc: frozenset[str]
    atc: frozenset[str]
    icd10: frozenset[str]
    snomed: frozenset[str]


class Episodes(Entry):
    """Which diagnosis dates the current depressive episode."""

    source: str
    verification: Verification
    icd10_prefixes: tuple[str, ...]
    icd10_excluded: tuple[str, ...]
    clinical_statuses: frozenset[str]
    unverified: frozenset[str]
    snomed: frozenset[str]
    depression_scales: frozenset[str]


class Statuses(Entry):
    """Which records speak of a drug that was taken."""

    source: str
    verification: Verification
    order_excluded: frozenset[str]
    order_intents_excluded: frozenset[str]
    dispense_excluded: frozenset[str]
    statement_excluded: frozenset[str]
    administration_read: frozenset[str]
    stop_extensions: tuple[str, ...]
    """How the address of an extension ends that holds the day of stopping."""


class TextRule(Entry):
    """What a word beside a name says of the product."""

    ingredient: str
    any_of: frozenset[str]
    strengths: frozenset[float] = frozenset()
    """In MG, where the strength alone tells."""
    formulation: str
    use: str


class Hints(Entry):
    """Letters that make an unknown name look psychotropic."""

    source: str
    verification: Verification
    stems: tuple[str, ...] = Field(min_length=1)
    antidepressant_stems: tuple[str, ...] = Field(min_length=1)
    """Letters that make it look like an antidepressant."""

    def look_psychotropic(self, name: str) -> bool:
        """Whether a name may be that of a psychotropic drug."""
        lower = name.lower()
        return self.look_antidepressant(name) or any(stem in lower for stem in self.stems)

    def look_antidepressant(self, name: str) -> bool:
        """Whether a name may be that of an antidepressant."""
        lower = name.lower()
        return any(stem in lower for stem in self.antidepressant_stems)


@dataclass(frozen=True)
class NdcTable:
    """NDC to product, as sorted fixed-width lines so that 25,000 of them cost nothing to load."""

    lines: bytes
    kinds: Mapping[bytes, Product]

    _WIDTH = 11
    _LINE = len("00000000000 00\n")

    def get(self, ndc: str) -> Product | None:
        """The product of an NDC of eleven digits."""
        key = ndc.encode()
        count = len(self.lines) // self._LINE
        at = bisect_left(range(count), key, key=self._key)
        if at == count or self._key(at) != key:
            return None
        start = at * self._LINE + self._WIDTH + 1
        return self.kinds[self.lines[start : start + 2]]

    def _key(self, row: int) -> bytes:
        start = row * self._LINE
        return self.lines[start : start + self._WIDTH]


@dataclass(frozen=True, eq=False)
class Medications:
    """Everything that is known about medications; equal only to itself, so that what follows from it can be kept."""

    ingredients: Mapping[str, Ingredient]
    products: Mapping[str, Product]
    """By RxCUI."""
    ndc: NdcTable
    atc: Mapping[str, str]
    """ATC code to ingredient."""
    names: Mapping[str, tuple[tuple[tuple[str, ...], Product], ...]]
    """Names as written in text: by first word, the words of each name and its product, longest first."""
    minimums: Mapping[tuple[str, str], tuple[Minimum, ...]]
    """By ingredient and formulation."""
    equivalents: Mapping[tuple[str, str], Equivalent]
    uses: Mapping[str, Use]
    parameters: Mapping[str, Parameter]
    policies: Mapping[str, Policy]
    default_policy: str
    units: Mapping[str, Unit]
    timing: TimingCodes
    sig_words: Mapping[str, tuple[SigWord, ...]]
    """The vocabulary of text sigs by first word, longest phrase first."""
    reasons: Reasons
    wording: Wording
    staging: Staging
    hints: Hints
    systems: Systems
    text_rules: tuple[TextRule, ...]
    statuses: Statuses
    episodes: Episodes
    sources: Mapping[str, Source]

    def policy(self, name: str | None) -> Policy:
        """The duration policy of that name; the default for ``None``. Raises ``KeyError`` for an unknown name."""
        return self.policies[name or self.default_policy]

    def minimum(self, ingredient: str, formulation: str, policy: Policy) -> Minimum | None:
        """The minimum adequate dose by the first instrument of the policy that has one."""
        form = formulation or self.ingredients[ingredient].default_formulation
        known = self.minimums.get((ingredient, form)) or self.minimums.get((ingredient, "")) or ()
        for instrument in (*policy.instruments, "augmentation"):
            for minimum in known:
                if minimum.instrument == instrument:
                    return minimum
        return None

    def augmentation_minimum(self, ingredient: str) -> float | None:
        """The low end of an augmenting agent's range in mg/day, where a range is known."""
        for minimum in self.minimums.get((ingredient, ""), ()):
            if minimum.instrument == "augmentation":
                return minimum.mg_per_day
        return None


def load_medications(folder: Path | None = None) -> Medications:
    """Read the tables of ``folder`` (this one by default); :class:`KnowledgeError` names the file that is wrong."""
    place = folder or FOLDER
    policies = read_yaml(place / "policies.yaml", _Policies)
    ingredients = _ingredients(place)
    products = _products(place / "products.csv")
    units = read_yaml(place / "units.yaml", dict[str, Unit])
    equivalents = read_yaml(place / "equivalents.yaml", tuple[Equivalent, ...])
    medications = Medications(
        ingredients=ingredients,
        products=products,
        ndc=_ndc(place),
        atc=_atc(place),
        names=_names(place),
        minimums=_minimums(place),
        equivalents={(row.ingredient, row.formulation): row for row in equivalents},
        uses=read_yaml(place / "uses.yaml", dict[str, Use]),
        parameters=read_yaml(place / "parameters.yaml", dict[str, Parameter]),
        policies=policies.policies,
        default_policy=policies.default,
        units=units,
        timing=read_yaml(place / "timing_codes.yaml", TimingCodes),
        sig_words=_sig_words(read_yaml(place / "sig_words.yaml", SigWords), units),
        reasons=read_yaml(place / "reasons.yaml", Reasons),
        wording=read_yaml(place / "wording.yaml", Wording),
        staging=read_yaml(place / "staging.yaml", Staging),
        hints=read_yaml(place / "hints.yaml", Hints),
        systems=read_yaml(place / "systems.yaml", Systems),
        episodes=read_yaml(place / "episodes.yaml", Episodes),
        statuses=read_yaml(place / "statuses.yaml", Statuses),
        text_rules=read_yaml(place / "text_rules.yaml", tuple[TextRule, ...]),
        sources=read_yaml(place / "sources.yaml", dict[str, Source]),
    )
    _cross_check(medications)
    return medications


def _number(text: str, file: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError as fault:
        raise KnowledgeError(f"{file}: {text!r} is not a number") from fault


def _rows(path: Path, *columns: str) -> list[dict[str, str]]:
    rows = read_csv(path)
    missing = [column for column in columns if not rows or column not in rows[0]]
    if missing:
        raise KnowledgeError(f"{path.name}: column {missing[0]!r} is missing, or there are no rows")
    return rows


def _ingredients(place: Path) -> dict[str, Ingredient]:
    path = place / "ingredients.csv"
    found = {}
    for row in _rows(path, "ingredient", "label_class", "groups", "counts", "maximum_mg_day"):
        name = sys.intern(row["ingredient"])
        found[name] = Ingredient(
            name,
            row["label_class"],
            frozenset(row["groups"].split("|")),
            row["counts"],
            row["low_dose_has_other_use"] == "yes",
            _number(row["maximum_mg_day"], path.name),
            row["default_formulation"],
        )
    return found


def _products(path: Path) -> dict[str, Product]:
    found = {}
    for row in _rows(path, "rxcui", "tty", "ingredients", "strengths", "unit", "formulation", "use"):
        ingredients = row["ingredients"].split("|")
        strengths: list[str] = row["strengths"].split("|") if row["strengths"] else [""] * len(ingredients)
        unit = sys.intern(row["unit"])
        parts = tuple(
            Part(sys.intern(name), _number(strength, path.name), unit)
            for name, strength in zip(ingredients, strengths, strict=True)
        )
        found[row["rxcui"]] = Product(parts, sys.intern(row["formulation"]), sys.intern(row["use"]), row["tty"])
    return found


def _bare(ingredients: str, formulation: str, use: str) -> Product:
    return Product(tuple(Part(sys.intern(name), None, "") for name in ingredients.split("|")), formulation, use)


def _sig_words(words: SigWords, units: Mapping[str, Unit]) -> dict[str, tuple[SigWord, ...]]:
    table: dict[str, tuple[str, float, str]] = {
        phrase: (unit.dimension, unit.factor, "") for phrase, unit in units.items() if phrase.isalpha()
    }
    table |= {phrase: ("number", value, "") for phrase, value in words.numbers.items()}
    table |= {phrase: ("per_day", value, "") for phrase, value in words.per_day.items()}
    table |= {phrase: ("period", value, "") for phrase, value in words.periods.items()}
    table |= {phrase: ("moment", 1.0, moment) for phrase, moment in words.moments.items()}
    table |= {phrase: ("weekday", 1.0, phrase[:3]) for phrase in words.weekdays}
    table |= {phrase: (kind, 0.0, "") for kind, phrases in words.words.items() for phrase in phrases}
    found: dict[str, list[SigWord]] = {}
    for phrase, (kind, value, name) in table.items():
        split = tuple(phrase.replace("-", " - ").replace("/", " / ").split())
        found.setdefault(split[0], []).append(SigWord(split, Token(sys.intern(kind), value, name)))
    return {first: tuple(sorted(entries, key=lambda entry: -len(entry.words))) for first, entries in found.items()}


def _ndc(place: Path) -> NdcTable:
    kinds = {
        row["kind"].encode(): _bare(row["ingredients"], row["formulation"], row["use"])
        for row in _rows(place / "ndc_kinds.csv", "kind", "ingredients", "formulation", "use")
    }
    try:
        return NdcTable((place / "ndc.txt").read_bytes(), kinds)
    except OSError as fault:
        raise KnowledgeError(f"ndc.txt: cannot be read: {fault.strerror}") from fault


def _atc(place: Path) -> dict[str, str]:
    rows = _rows(place / "ingredients.csv", "atc")
    return {code: row["ingredient"] for row in rows for code in row["atc"].split("|") if code}


def _names(place: Path) -> dict[str, tuple[tuple[tuple[str, ...], Product], ...]]:
    found: dict[str, list[tuple[tuple[str, ...], Product]]] = {}
    for row in _rows(place / "names.csv", "name", "ingredients", "formulation", "use"):
        words = tuple(row["name"].replace("/", " / ").replace("-", " - ").split())
        found.setdefault(words[0], []).append((words, _bare(row["ingredients"], row["formulation"], row["use"])))
    return {first: tuple(sorted(names, key=lambda name: -len(name[0]))) for first, names in found.items()}


def _minimums(place: Path) -> dict[tuple[str, str], tuple[Minimum, ...]]:
    path = place / "minimum_doses.csv"
    found: dict[tuple[str, str], tuple[Minimum, ...]] = {}
    for row in _rows(path, "ingredient", "formulation", "instrument", "mg_per_day", "verification", "source"):
        dose = _number(row["mg_per_day"], path.name)
        if dose is None or not row["source"]:
            raise KnowledgeError(f"{path.name}: {row['ingredient']}: a dose needs a number and a source")
        key = (row["ingredient"], row["formulation"])
        minimum = Minimum(dose, row["instrument"], Verification(row["verification"]).value, row["source"])
        found[key] = (*found.get(key, ()), minimum)
    return found


def _cross_check(known: Medications) -> None:
    for rxcui, product in known.products.items():
        _check_product(rxcui, product, known)
    cited = [("minimum_doses.csv", minimum.source) for found in known.minimums.values() for minimum in found]
    cited += [("parameters.yaml", parameter.source) for parameter in known.parameters.values()]
    cited += [("policies.yaml", policy.source) for policy in known.policies.values()]
    cited += [("uses.yaml", use.source) for use in known.uses.values()]
    for file, source in cited:
        if source not in known.sources:
            raise KnowledgeError(f"{file}: source {source!r} is not in sources.yaml")
    if known.default_policy not in known.policies:
        raise KnowledgeError(f"policies.yaml: default: {known.default_policy!r} is not a policy")


def _check_product(rxcui: str, product: Product, known: Medications) -> None:
    for part in product.parts:
        if part.ingredient not in known.ingredients:
            raise KnowledgeError(f"products.csv: {rxcui}: ingredient {part.ingredient!r} is not in ingredients.csv")
    if product.use and product.use not in known.uses:
        raise KnowledgeError(f"products.csv: {rxcui}: use {product.use!r} is not in uses.yaml")
