"""The words and code systems that the knowledge reads: they carry meaning and identify nobody."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mappings.schema.base.files import KNOWLEDGE, read_yaml

_KEYED = ("medications/sig_words.yaml", "medications/units.yaml", "medications/timing_codes.yaml")
"""Files whose keys are also words."""
_LISTED = {
    "medications/reasons.yaml": ("denials", "words", "reason_words"),
    "medications/hints.yaml": ("stems", "antidepressant_stems"),
    "medications/text_rules.yaml": ("any_of",),
    "value_sets/topics.yaml": ("hints", "hints_except", "whole_clause"),
    "value_sets/_abbreviations.yaml": ("short",),
    "treatments/ect.yaml": ("patterns", "not_patterns"),
    "treatments/esketamine.yaml": ("patterns", "not_patterns"),
    "treatments/ketamine.yaml": ("patterns", "not_patterns"),
    "treatments/tms.yaml": ("patterns", "not_patterns"),
}
"""File -> keys that hold its words."""
_PATTERNS = {
    "value_sets/topics.yaml": (
        "hint_patterns",
        "left_out",
        "about_others",
        "stated",
        "denied",
        "forward",
        "forward_list",
        "forward_now",
        "backward",
        "hypothetical",
        "not_a_denial",
        "ends",
        "list_ends",
    ),
    "value_sets/_abbreviations.yaml": ("unless",),
}
"""File -> keys that hold patterns: their words never match inside longer words."""
_STEMMED = ("medications/hints.yaml", "value_sets/topics.yaml")
"""Files whose words also match inside longer words."""
_NAMES = ("medications/ingredients.csv", "medications/names.csv")
_PRODUCTS = "medications/other_products.txt"
"""Ingredients by code and name."""
_REGISTERED = "medications/drug_names.txt.gz"
"""Its names hold words that are also names of people ("john"): only whole names of several words are read."""
_FEWEST_WORDS = 3
_SYSTEMS = ("medications/systems.yaml", "treatments/_systems.yaml", "value_sets/topics.yaml")
_NO_WORDS = frozenset({"source", "verification", "dimension"})
_WORD = re.compile(r"[a-z][a-z']*")
_ESCAPE = re.compile(r"\\[bwsd]")
_SYSTEM = re.compile(r"(?:https?://|urn:oid:)\S+")
_SHORTEST_STEM = 5
_LETTERS = re.compile(r"[a-z]+")
_NOT_A_NAME = re.compile(r"[^A-Za-z.,'’ -]")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What may be kept of a text and of a code, because it identifies nobody."""

    words: frozenset[str]
    """In lower case."""
    stems: frozenset[str]
    """A word that contains one of them is kept too."""
    systems: frozenset[str]
    names: frozenset[str]
    """Registered drug names of three words or more, in lower case without punctuation: kept only as a whole text."""

    def holds(self, word: str) -> bool:
        """Whether a lower-case word is in the vocabulary."""
        return word in self.words or any(stem in word for stem in self.stems)

    def is_drug_name(self, text: str) -> bool:
        """Whether a text is, as a whole and without a number, one registered drug name of several words."""
        return not _NOT_A_NAME.search(text) and " ".join(_LETTERS.findall(text.lower())) in self.names


def load_vocabulary(folder: Path = KNOWLEDGE) -> Vocabulary:
    """The words and systems of a knowledge folder, without sources, citations and remarks."""
    listed = {name: _words(_member_texts(read_yaml(folder / name, Any), keys)) for name, keys in _LISTED.items()}
    words = set[str]().union(*listed.values(), _pattern_words(folder), _drug_words(folder))
    words |= _words(text for name in _KEYED for text in _texts(read_yaml(folder / name, Any)))
    words |= _words(form.name.partition(".")[0] for form in (folder / "instruments").glob("[a-z]*.yaml"))
    stems = {word for name in _STEMMED for word in listed[name] if len(word) >= _SHORTEST_STEM}
    system_texts = " ".join(text for name in _SYSTEMS for text in _texts(read_yaml(folder / name, Any)))
    systems = frozenset(_SYSTEM.findall(system_texts))
    return Vocabulary(frozenset(words), frozenset(stems), systems, _registered_names(folder))


def _pattern_words(folder: Path) -> set[str]:
    texts = (text for name, keys in _PATTERNS.items() for text in _member_texts(read_yaml(folder / name, Any), keys))
    return {word for word in _words(texts) if len(word) > 1}


def _drug_words(folder: Path) -> set[str]:
    products = (folder / _PRODUCTS).read_text(encoding="utf-8").splitlines()
    names = (text for name in _NAMES for text in _first_column(folder / name))
    return _words(names) | _words(line.partition("\t")[2] for line in products)


def _registered_names(folder: Path) -> frozenset[str]:
    lines = gzip.decompress((folder / _REGISTERED).read_bytes()).decode().splitlines()
    return frozenset(line for line in lines if line.count(" ") >= _FEWEST_WORDS - 1)


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in _WORD.findall(_ESCAPE.sub(" ", text).lower())}


def _texts(node: Any) -> Iterator[str]:
    """Every text and every key, without metadata about the words."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key not in _NO_WORDS:
                yield str(key)
                yield from _texts(value)
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item)
    elif isinstance(node, str):
        yield node


def _member_texts(node: Any, keys: tuple[str, ...]) -> Iterator[str]:
    """The texts under these keys, at any depth."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _texts(value) if key in keys else _member_texts(value, keys)
    elif isinstance(node, list):
        for item in node:
            yield from _member_texts(item, keys)


def _first_column(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="") as table:
        rows = csv.reader(table)
        next(rows)
        yield from (row[0] for row in rows if row)
