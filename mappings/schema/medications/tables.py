"""Reads the medication tables into dictionaries: ingredients, products, names, codes, minimum doses, sig words."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mappings.schema.base.entries import KnowledgeError, Verification
from mappings.schema.base.files import read_csv
from mappings.schema.medications.model import DoseUnit, Ingredient, Minimum, Product, ProductPart
from mappings.schema.medications.words import SigToken, SigWord, SigWords


@dataclass(frozen=True)
class NdcTable:
    """NDC to product, as sorted fixed-width lines so that 25,000 of them load without parsing."""

    lines: bytes
    kinds: Mapping[bytes, Product]

    _WIDTH = 11
    _LINE = len("00000000000 00\n")

    def get(self, ndc: str) -> Product | None:
        """The product of an NDC of eleven digits."""
        key = ndc.encode()
        count = len(self.lines) // self._LINE
        row = bisect_left(range(count), key, key=self._key)
        if row == count or self._key(row) != key:
            return None
        start = row * self._LINE + self._WIDTH + 1
        return self.kinds[self.lines[start : start + 2]]

    def _key(self, row: int) -> bytes:
        start = row * self._LINE
        return self.lines[start : start + self._WIDTH]


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


def read_ingredients(place: Path) -> dict[str, Ingredient]:
    """The ingredients by name. Raises :class:`KnowledgeError` for a missing column or an invalid number."""
    path = place / "ingredients.csv"
    ingredients = {}
    for row in _rows(path, "ingredient", "label_class", "groups", "counts", "maximum_mg_day"):
        name = sys.intern(row["ingredient"])
        ingredients[name] = Ingredient(
            name,
            row["label_class"],
            frozenset(row["groups"].split("|")),
            row["counts"],
            row["low_dose_has_other_use"] == "yes",
            _number(row["maximum_mg_day"], path.name),
            row["default_formulation"],
        )
    return ingredients


def read_products(path: Path) -> dict[str, Product]:
    """The products by RxCUI."""
    products = {}
    for row in _rows(path, "rxcui", "tty", "ingredients", "strengths", "unit", "formulation", "use"):
        ingredients = row["ingredients"].split("|")
        strengths: list[str] = row["strengths"].split("|") if row["strengths"] else [""] * len(ingredients)
        unit = sys.intern(row["unit"])
        parts = tuple(
            ProductPart(sys.intern(name), _number(strength, path.name), unit)
            for name, strength in zip(ingredients, strengths, strict=True)
        )
        products[row["rxcui"]] = Product(parts, sys.intern(row["formulation"]), sys.intern(row["use"]), row["tty"])
    return products


def _product_without_strength(ingredients: str, formulation: str, use: str) -> Product:
    return Product(tuple(ProductPart(sys.intern(name), None, "") for name in ingredients.split("|")), formulation, use)


def read_sig_words(words: SigWords, units: Mapping[str, DoseUnit]) -> dict[str, tuple[SigWord, ...]]:
    """The vocabulary of text sigs by first word, the longest phrase first; a phrase with a number in it is refused."""
    table: dict[str, tuple[str, float, str]] = {
        phrase: (unit.dimension, unit.factor, "") for phrase, unit in units.items() if phrase.isalpha()
    }
    table |= {phrase: ("number", value, "word" if value < 1 else "") for phrase, value in words.numbers.items()}
    table |= {phrase: ("per_day", value, "") for phrase, value in words.per_day.items()}
    table |= {
        phrase: ("period", value, "plural" if phrase.endswith("s") else "") for phrase, value in words.periods.items()
    }
    table |= {phrase: ("moment", 1.0, moment) for phrase, moment in words.moments.items()}
    table |= {phrase: ("weekday", 1.0, phrase[:3]) for phrase in words.weekdays}
    table |= {phrase: ("weekday", 1.0, " ".join(days)) for phrase, days in words.weekday_groups.items()}
    table |= {phrase: (kind, 0.0, "") for kind, phrases in words.words.items() for phrase in phrases}
    by_first_word: dict[str, list[SigWord]] = {}
    for phrase, (kind, value, name) in table.items():
        split = _words_of_phrase(phrase)
        by_first_word.setdefault(split[0], []).append(SigWord(split, SigToken(sys.intern(kind), value, name)))
    return {
        first: tuple(sorted(entries, key=lambda entry: -len(entry.words))) for first, entries in by_first_word.items()
    }


def _words_of_phrase(phrase: str) -> tuple[str, ...]:
    if any(map(str.isdecimal, phrase)):
        raise KnowledgeError(f"sig_words.yaml: {phrase!r}: numbers are read by themselves, so no phrase has one in it")
    return tuple(phrase.replace("-", " - ").replace("/", " / ").split())


def read_ndc(place: Path) -> NdcTable:
    """The table of NDCs, kept as the bytes of its file."""
    kinds = {
        row["kind"].encode(): _product_without_strength(row["ingredients"], row["formulation"], row["use"])
        for row in _rows(place / "ndc_kinds.csv", "kind", "ingredients", "formulation", "use")
    }
    try:
        return NdcTable((place / "ndc.txt").read_bytes(), kinds)
    except OSError as fault:
        raise KnowledgeError(f"ndc.txt: cannot be read: {fault.strerror}") from fault


def read_other_products(place: Path) -> frozenset[str]:
    """The RxCUIs of ``other_products.txt``, one on a line, its name behind a tab."""
    try:
        lines = (place / "other_products.txt").read_text(encoding="utf-8").splitlines()
    except OSError as fault:
        raise KnowledgeError(f"other_products.txt: cannot be read: {fault.strerror}") from fault
    return frozenset(line.partition("\t")[0] for line in lines)


def read_atc(place: Path) -> dict[str, str]:
    """ATC code to ingredient."""
    rows = _rows(place / "ingredients.csv", "atc")
    return {code: row["ingredient"] for row in rows for code in row["atc"].split("|") if code}


def read_names(place: Path) -> dict[str, tuple[tuple[tuple[str, ...], Product], ...]]:
    """The names by first word: the words of the name and its product, the longest first."""
    by_first_word: dict[str, list[tuple[tuple[str, ...], Product]]] = {}
    for row in _rows(place / "names.csv", "name", "ingredients", "formulation", "use"):
        words = tuple(row["name"].replace("/", " / ").replace("-", " - ").split())
        by_first_word.setdefault(words[0], []).append(
            (words, _product_without_strength(row["ingredients"], row["formulation"], row["use"]))
        )
    return {first: tuple(sorted(names, key=lambda name: -len(name[0]))) for first, names in by_first_word.items()}


def read_minimums(place: Path) -> dict[tuple[str, str], tuple[Minimum, ...]]:
    """The minimum doses by ingredient and formulation, in table order; a source is mandatory."""
    path = place / "minimum_doses.csv"
    minimums: dict[tuple[str, str], tuple[Minimum, ...]] = {}
    for row in _rows(path, "ingredient", "formulation", "instrument", "mg_per_day", "verification", "source"):
        dose = _number(row["mg_per_day"], path.name)
        if dose is None or not row["source"]:
            raise KnowledgeError(f"{path.name}: {row['ingredient']}: a dose needs a number and a source")
        key = (row["ingredient"], row["formulation"])
        minimum = Minimum(dose, row["instrument"], Verification(row["verification"]).value, row["source"])
        minimums[key] = (*minimums.get(key, ()), minimum)
    return minimums
