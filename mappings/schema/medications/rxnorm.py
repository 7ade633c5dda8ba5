"""Converts an RxNorm download (RRF files) into rows of the product table, for the ingredients in the knowledge.

RXNCONSO names the concepts, RXNREL links a clinical drug to its components and these to their ingredients, RXNSAT holds
the strength of a component. Only current, unsuppressed RxNorm content is used.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mappings.schema.base.entries import KnowledgeError
from mappings.schema.medications import Medications

COLUMNS = ("rxcui", "tty", "name", "ingredients", "strengths", "unit", "form", "formulation", "use", "group", "source")
PRODUCT_TYPES = frozenset(("SCD", "SBD", "GPCK", "BPCK", "BN", "IN", "PIN"))
SOURCE = "rxnorm-prescribable"

_STEPS = {
    "SCD": ("SCDC",),
    "SBD": ("SCDC", "SCD"),
    "GPCK": ("SCD",),
    "BPCK": ("SCD", "SBD", "GPCK"),
    "SCDC": ("IN", "PIN"),
    "PIN": ("IN",),
    "BN": ("IN", "PIN"),
}
"""Term type -> the next term types towards its ingredients."""
_RELATIONS = frozenset(
    (
        "has_ingredient",
        "ingredient_of",
        "has_precise_ingredient",
        "precise_ingredient_of",
        "consists_of",
        "constitutes",
        "tradename_of",
        "has_tradename",
        "form_of",
        "has_form",
        "contains",
        "contained_in",
    )
)
_STRENGTH = re.compile(r"(\d+(?:\.\d+)?)\s+(MG(?:/(?:ML|HR|ACTUAT))?)\b")
_PACKS = frozenset(("GPCK", "BPCK"))
_CONSO_WIDTH, _REL_WIDTH, _SAT_WIDTH = 18, 16, 13


class _Concept(NamedTuple):
    rxcui: str
    tty: str
    name: str


def import_rxnorm(folder: Path, medications: Medications) -> list[dict[str, str]]:
    """Rows for the product table from the RRF files of ``folder``, sorted by RxCUI.

    :raises KnowledgeError: if a file is missing or not in RRF format.
    """
    concepts = {concept.rxcui: concept for concept in _concepts(_rows(folder / "RXNCONSO.RRF", _CONSO_WIDTH))}
    neighbours = _neighbours(_rows(folder / "RXNREL.RRF", _REL_WIDTH), concepts)
    strengths = _strengths(_rows(folder / "RXNSAT.RRF", _SAT_WIDTH))
    by_rxcui = {
        code: product.parts[0].ingredient for code, product in medications.products.items() if product.tty == "IN"
    }
    rows = []
    for concept in concepts.values():
        if concept.tty in PRODUCT_TYPES:
            row = _row(concept, neighbours, strengths, by_rxcui, medications)
            if row is not None:
                rows.append(row)
    return sorted(rows, key=lambda row: int(row["rxcui"]))


def extend_products(path: Path, rows: Iterable[Mapping[str, str]]) -> int:
    """Add the rows with new codes to the product table; returns how many were added."""
    with path.open(encoding="utf-8", newline="") as lines:
        existing = list(csv.DictReader(lines))
    codes = {row["rxcui"] for row in existing}
    added = [row for row in rows if row["rxcui"] not in codes]
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*existing, *added])
    return len(added)


def _rows(path: Path, width: int) -> Iterator[list[str]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                fields = line.rstrip("\n").split("|")
                if len(fields) < width:
                    raise KnowledgeError(f"{path.name}: line {number}: {len(fields)} fields instead of {width}")
                yield fields
    except (OSError, UnicodeDecodeError) as fault:
        raise KnowledgeError(f"{path.name}: cannot be read: {fault}") from fault


def _concepts(rows: Iterable[Sequence[str]]) -> Iterator[_Concept]:
    wanted = PRODUCT_TYPES | {"SCDC"}
    for row in rows:
        rxcui, language, source, tty, name, suppress = row[0], row[1], row[11], row[12], row[14], row[16]
        if source == "RXNORM" and language == "ENG" and suppress == "N" and tty in wanted:
            yield _Concept(rxcui, tty, name)


def _neighbours(rows: Iterable[Sequence[str]], concepts: Mapping[str, _Concept]) -> dict[str, list[_Concept]]:
    neighbours: dict[str, list[_Concept]] = {}
    for row in rows:
        one, other, relation = row[0], row[4], row[7]
        if relation in _RELATIONS and one in concepts and other in concepts:
            neighbours.setdefault(one, []).append(concepts[other])
            neighbours.setdefault(other, []).append(concepts[one])
    return neighbours


def _strengths(rows: Iterable[Sequence[str]]) -> dict[str, str]:
    return {row[0]: row[10] for row in rows if row[8] == "RXN_STRENGTH" and row[9] == "RXNORM"}


def _concepts_on_the_way(concept: _Concept, neighbours: Mapping[str, list[_Concept]], tty: str) -> list[_Concept]:
    """The concepts of type ``tty`` on the paths from ``concept`` to its ingredients."""
    found: dict[str, _Concept] = {}
    seen = {concept.rxcui}
    pending = [concept]
    while pending:
        current = pending.pop()
        if current.tty == tty:
            found[current.rxcui] = current
            continue
        for other in neighbours.get(current.rxcui, ()):
            if other.rxcui not in seen and other.tty in _STEPS.get(current.tty, ()):
                seen.add(other.rxcui)
                pending.append(other)
    return sorted(found.values())


def _row(
    concept: _Concept,
    neighbours: Mapping[str, list[_Concept]],
    strengths: Mapping[str, str],
    by_rxcui: Mapping[str, str],
    medications: Medications,
) -> dict[str, str] | None:
    names = {
        by_rxcui.get(base.rxcui, base.name.lower()): base for base in _concepts_on_the_way(concept, neighbours, "IN")
    }
    ingredients = [name for name in names if name in medications.ingredients]
    if not ingredients or len(ingredients) != len(names):
        return None
    parts = {} if concept.tty in _PACKS else _components(concept, neighbours, strengths, by_rxcui)
    ordered = sorted(ingredients)
    units = {parts[name][1] for name in ordered if name in parts}
    complete = len(units) == 1 and all(name in parts for name in ordered)
    formulation, use = _words(concept.name, ordered, parts, medications)
    return {
        "rxcui": concept.rxcui,
        "tty": concept.tty,
        "name": concept.name,
        "ingredients": "|".join(ordered),
        "strengths": "|".join(parts[name][0] for name in ordered) if complete else "",
        "unit": units.pop() if complete else "",
        "form": "",
        "formulation": formulation,
        "use": use,
        "group": min(medications.ingredients[ordered[0]].groups),
        "source": SOURCE,
    }


def _components(
    concept: _Concept,
    neighbours: Mapping[str, list[_Concept]],
    strengths: Mapping[str, str],
    by_rxcui: Mapping[str, str],
) -> dict[str, tuple[str, str]]:
    """Strength and unit by ingredient, from the components of a clinical drug."""
    strength_and_unit = {}
    for component in _concepts_on_the_way(concept, neighbours, "SCDC"):
        match = _STRENGTH.search(strengths.get(component.rxcui, "") or component.name)
        for base in _concepts_on_the_way(component, neighbours, "IN"):
            if match:
                strength_and_unit[by_rxcui.get(base.rxcui, base.name.lower())] = (match[1], match[2])
    return strength_and_unit


def _words(
    name: str, ingredients: Sequence[str], parts: Mapping[str, tuple[str, str]], medications: Medications
) -> tuple[str, str]:
    """Formulation and use from the words of the name, by the same rules as for free text."""
    words = frozenset(re.findall(r"\d+(?:\.\d+)?|[a-z]+", name.lower()))
    for rule in medications.text_rules:
        if list(ingredients) == [rule.ingredient]:
            strength = float(parts[rule.ingredient][0]) if rule.ingredient in parts else None
            if rule.any_of & words or strength in rule.strengths:
                return rule.formulation, rule.use
    return medications.ingredients[ingredients[0]].default_formulation if len(ingredients) == 1 else "", ""
