"""Codes that are known to exist, so that one which concerns no topic can be told from one that cannot be read.

``_known.yaml`` says which editions of the code systems are carried and where the lists come from. ICD-10-CM is known
down to its fourth character; of SNOMED CT, those codes are known that were seen with their names and concern no topic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, KnowledgeError, Pattern, Reviewed
from mappings.schema.base.files import read_yaml


class Edition(Entry):
    """One edition of a code system, as it is carried."""

    system: str
    title: str
    source: str
    in_force_from: date
    in_force_until: date
    """The last day for which it may be used in coding."""
    carried_until: date
    """The last day on which it is still relied on here: later than ``in_force_until`` only for a stated reason."""
    why_carried: str = ""

    @model_validator(mode="after")
    def _explained(self) -> Self:
        if self.carried_until > self.in_force_until and not self.why_carried:
            raise ValueError("why_carried: is needed for an edition that is relied on after it went out of force")
        return self


class SeenCodes(Entry):
    """A list of codes that were seen with their names and concern no topic."""

    system: str
    file: str
    source: str
    read_by: str
    """How it was made sure that none concerns a topic."""


class OutsideCodes(Entry):
    """The beginnings of codes of a system in which each place has a meaning, that lie outside every topic."""

    system: str
    shape: Pattern
    """What a whole code looks like."""
    beginnings: dict[str, str] = Field(min_length=1)
    """The first characters, with what they stand for."""
    source: str
    read_by: str
    """Why none of them concerns a topic."""


class KnownCodesFile(Reviewed):
    """``_known.yaml``."""

    editions: dict[str, Edition]
    categories: dict[str, str]
    """Edition -> the file with its categories and the characters that may follow each."""
    seen: tuple[SeenCodes, ...]
    outside: tuple[OutsideCodes, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownCodes:
    """The codes that exist."""

    reviewed: KnownCodesFile
    tree: frozenset[str]
    """ICD-10-CM categories, and categories with a fourth character."""
    listed: dict[str, frozenset[str]]
    """System -> codes that were seen and concern no topic."""

    def is_icd10cm(self, code: str) -> bool:
        """Whether a code without its dot, in upper case, is one of ICD-10-CM, down to its fourth character."""
        return bool(_ICD_SHAPE.fullmatch(code)) and code[:_DEPTH] in self.tree

    def is_seen(self, system: str, code: str) -> bool:
        """Whether the code is on a list of those that concern no topic."""
        return code in self.listed.get(system, ())

    def is_outside(self, system: str, code: str) -> bool:
        """Whether the beginning of the code says that it concerns no topic."""
        return any(
            one.system == system and re.fullmatch(one.shape, code) and code.startswith(tuple(one.beginnings))
            for one in self.reviewed.outside
        )

    def out_of_force(self, today: date) -> tuple[str, ...]:
        """The editions that are not to be relied on any more."""
        return tuple(name for name, edition in self.reviewed.editions.items() if edition.carried_until < today)


_DEPTH = 4
_CATEGORY = 3
_ICD_SHAPE = re.compile(r"[A-Z]\d[0-9A-Z][0-9A-Z]{0,4}")


def load_known_codes(folder: Path) -> KnownCodes:
    """Read ``_known.yaml`` and the lists that it names; :class:`KnowledgeError` names the file at fault."""
    reviewed = read_yaml(folder / "_known.yaml", KnownCodesFile)
    if unknown := reviewed.categories.keys() - reviewed.editions.keys():
        raise KnowledgeError(f"_known.yaml: categories: no edition {', '.join(sorted(unknown))}")
    tree = {code for name in reviewed.categories.values() for code in _categories(folder / name)}
    listed: dict[str, frozenset[str]] = {}
    for seen in reviewed.seen:
        listed[seen.system] = listed.get(seen.system, frozenset()).union(_lines(folder / seen.file))
    return KnownCodes(reviewed, frozenset(tree), listed)


def _categories(path: Path) -> Iterable[str]:
    """``A01 0 1`` in a line: the category and each fourth character."""
    for line in _lines(path):
        category, *characters = line.split()
        if len(category) != _CATEGORY:
            raise KnowledgeError(f"{path.name}: {line!r}: must begin with a category of three characters")
        yield category
        for character in characters:
            yield from (category + own for own in character)


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise KnowledgeError(f"{path.name}: cannot be read: {fault}") from fault
    return [line for line in lines if line and not line.startswith("#")]
