"""The words and code systems that the knowledge reads: they carry meaning and identify nobody."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mappings.schema.base.files import KNOWLEDGE, read_yaml
from mappings.schema.codes.kept_text import KeptText
from mappings.schema.codes.readable_words import last_words, pairs_in, pattern_stems, pattern_words, words_in
from mappings.schema.instruments import load_instruments, plain_words

_RULES = "kept_text.yaml"
_KEYED = ("medications/sig_words.yaml", "medications/units.yaml", "medications/timing_codes.yaml")
"""Files whose keys are also words."""
_LISTED = {
    "medications/reasons.yaml": ("denials", "words", "reason_words", "class_words", "depression_indications"),
    "medications/text_rules.yaml": ("any_of",),
    "medications/recognising.yaml": ("around", "ends", "joints", "others"),
    "value_sets/topics.yaml": ("hints", "hints_except", "whole_clause"),
    "value_sets/_abbreviations.yaml": ("short",),
    "laboratory.yaml": ("words",),
    "treatments/_allergy.yaml": ("words", "reactions"),
}
"""File -> keys that hold its phrases."""
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
    "order_checks/_outside.yaml": ("words", "except", "alone", "leads"),
    "order_checks/_schedules.yaml": ("words",),
    "treatments/ect.yaml": ("patterns", "not_patterns", "ordered_as"),
    "treatments/esketamine.yaml": ("patterns", "not_patterns"),
    "treatments/ketamine.yaml": ("patterns", "not_patterns"),
    "treatments/tms.yaml": ("patterns", "not_patterns", "ordered_as"),
}
"""File -> keys that hold patterns."""
_OPEN = {
    "medications/reasons.yaml": ("words", "open_words", "neutral_words", "class_words", "depression_indications"),
    "value_sets/topics.yaml": ("hints", "hints_except"),
    "treatments/_allergy.yaml": ("words", "reactions"),
}
"""File -> keys with phrases that are searched for inside a text: a longer word may end them."""
_SEQUENCES = ("medications/hints.yaml", ("stems", "antidepressant_stems"))
_ABBREVIATED = ("value_sets/_abbreviations.yaml", "short")
_MEASURES = ("laboratory.yaml", "vitals.yaml")
_NAMES = ("medications/ingredients.csv", "medications/names.csv")
_PRODUCTS = "medications/other_products.txt"
"""Ingredients by code and name."""
_REGISTERED = "medications/drug_names.txt.gz"
"""Its names hold words that are also names of people ("john"): only whole names of several words are read."""
_FEWEST_WORDS = 3
_SYSTEMS = ("medications/systems.yaml", "treatments/_systems.yaml", "value_sets/topics.yaml")
_NO_WORDS = frozenset({"source", "verification", "dimension"})
_SYSTEM = re.compile(r"(?:https?://|urn:oid:)\S+")
_LETTERS = re.compile(r"[a-z]+")
_NOT_A_NAME = re.compile(r"[^A-Za-z.,'’ -]")
_LONGEST_WORD, _LONG_STEM = 40, 6


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What may be kept of a text and of a code, because it identifies nobody."""

    words: frozenset[str]
    """In lower case, as a whole."""
    stems: frozenset[str]
    """Beginnings of words; what follows must be one of the endings of ``rules``."""
    pairs: frozenset[tuple[str, str]]
    """Words that stand side by side in a phrase: between them, a word that is also a name is none."""
    sequences: tuple[str, ...]
    """Letters that make an unknown name look like a drug that matters."""
    systems: frozenset[str]
    names: frozenset[str]
    """Registered drug names of three words or more, in lower case without punctuation: kept only as a whole text."""
    questions: frozenset[str]
    """The questions of the instruments, without punctuation: kept only as a whole text."""
    abbreviations: frozenset[str]
    """Of clinical notes, in lower case."""
    units: frozenset[str]
    """What may follow a number without a space, in lower case."""
    measured_in: frozenset[str]
    """Units as records write them beside a value, in lower case."""
    rules: KeptText

    def holds(self, word: str) -> bool:
        """Whether a lower-case word is one that the knowledge reads."""
        return word in self.words or bool(self._stems_of(word))

    def is_plain(self, word: str) -> bool:
        """Whether a lower-case word is read, and is nobody's name."""
        return self.holds(word) and word not in self.rules.also_names and word not in self.rules.particles

    def go_together(self, one: str, other: str) -> bool:
        """Whether two lower-case words stand side by side in a phrase of the knowledge; ``#`` is a number."""
        one, other = one.rpartition("-")[2], other.partition("-")[0]
        return any(
            (first, second) in self.pairs
            for first in (one, *self._stems_of(one))
            for second in (other, *self._stems_of(other))
        )

    def is_known_text(self, text: str) -> bool:
        """Whether a text is, as a whole, a question of an instrument or a drug name of several words."""
        if plain_words(text) in self.questions:
            return True
        return not _NOT_A_NAME.search(text) and " ".join(_LETTERS.findall(text.lower())) in self.names

    def _stems_of(self, word: str) -> tuple[str, ...]:
        """The stems that begin the word, where a listed ending makes it whole; a listed prefix is passed over."""
        if len(word) > _LONGEST_WORD:
            return ()
        starts = (0, *(len(prefix) for prefix in self.rules.prefixes if word.startswith(prefix)))
        return tuple(
            word[start:end]
            for start in starts
            for end in range(start + 1, len(word) + 1)
            if word[start:end] in self.stems and self._ends(word[end:], end - start)
        )

    def _ends(self, rest: str, letters: int) -> bool:
        """Whether a word may end so; behind a short beginning, which often is a word itself, few endings are read."""
        return rest in self.rules.inflections or (letters >= _LONG_STEM and rest in self.rules.endings)


def load_vocabulary(folder: Path = KNOWLEDGE) -> Vocabulary:
    """The words and systems of a knowledge folder, without sources, citations and remarks."""
    rules = read_yaml(folder / _RULES, KeptText)
    listed, patterns, open_ended = (_texts_under(folder, keys) for keys in (_LISTED, _PATTERNS, _OPEN))
    listed += [text for name in _KEYED for text in _texts(read_yaml(folder / name, Any))]
    instruments = load_instruments(folder / "instruments")
    listed += [name for form in instruments.forms.values() for name in (form.instrument.id, form.instrument.short)]
    words = words_in(listed) | pattern_words(patterns) | _drug_words(folder) | rules.words
    system_texts = " ".join(text for name in _SYSTEMS for text in _texts(read_yaml(folder / name, Any)))
    return Vocabulary(
        words=frozenset(words),
        stems=frozenset(last_words(open_ended) | pattern_stems(patterns)),
        pairs=frozenset(pairs_in([*listed, *patterns]) | rules.pairs),
        sequences=tuple(_member_texts(read_yaml(folder / _SEQUENCES[0], Any), _SEQUENCES[1])),
        systems=frozenset(_SYSTEM.findall(system_texts)),
        names=_registered_names(folder),
        questions=frozenset(instruments.by_wording),
        abbreviations=_abbreviations(folder),
        units=_units(folder) | rules.units,
        measured_in=_units(folder) | _measured_in(folder),
        rules=rules,
    )


def _texts_under(folder: Path, files: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [text for name, keys in files.items() for text in _member_texts(read_yaml(folder / name, Any), keys)]


def _drug_words(folder: Path) -> set[str]:
    products = (folder / _PRODUCTS).read_text(encoding="utf-8").splitlines()
    names = (text for name in _NAMES for text in _first_column(folder / name))
    return words_in(names) | words_in(line.partition("\t")[2] for line in products)


def _units(folder: Path) -> frozenset[str]:
    words, units = (read_yaml(folder / name, dict[str, Any]) for name in _KEYED[:2])
    return frozenset({*units, *words["periods"]})


def _abbreviations(folder: Path) -> frozenset[str]:
    return frozenset(_member_texts(read_yaml(folder / _ABBREVIATED[0], Any), (_ABBREVIATED[1],)))


def _measured_in(folder: Path) -> frozenset[str]:
    """Units as records write them, also in brackets and with a slash."""
    texts = (text for name in _MEASURES for text in _member_texts(read_yaml(folder / name, Any), ("units", "unit")))
    return frozenset(text.lower() for text in texts)


def _registered_names(folder: Path) -> frozenset[str]:
    lines = gzip.decompress((folder / _REGISTERED).read_bytes()).decode().splitlines()
    return frozenset(line for line in lines if line.count(" ") >= _FEWEST_WORDS - 1)


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
