"""The names of drugs that are recognised, with the substances that they stand for, read once and frozen.

``drug_names.txt.gz`` holds names as the FDA registers them, as words in lower case without accents, in three blocks
with an empty line between them: generic names of one word, all other names, and the substances of every name in the
same order, ``=`` where the name is the substance. In this shape 50,000 names load without a loop over them.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from mappings.schema.base.entries import Entry, KnowledgeError, Verification
from mappings.schema.base.words import without_accents

FILE = "drug_names.txt.gz"
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
SAME = "="
"""In the table: the name is the substance."""
_ATC_SUBSTANCE = re.compile(r"[A-Z]\d\d[A-Z]{2}\d\d$")
_MOST_WORDS = 8
"""Words of the longest name."""


class ForeignNames(Entry):
    """How names in other languages differ from the English ones."""

    source: str
    verification: Verification
    note: str
    shortest: int
    """Letters of the shortest word that is tried."""
    letters: tuple[tuple[str, str], ...]
    endings: tuple[str, ...]

    def folded(self, lines: str) -> str:
        """Words, one on each line that ends with a newline, without what differs between languages."""
        for spelt, plain in self.letters:
            lines = lines.replace(spelt, plain)
        for ending in self.endings:
            lines = lines.replace(f"{ending}\n", "\n")
        return lines


class AtcClasses(Entry):
    """The groups of ATC in which a code that is in no table may still matter."""

    source: str
    verification: Verification
    note: str
    may_matter: tuple[str, ...] = Field(min_length=1)


class OtherAntidepressants(Entry):
    """Antidepressants without a dose table."""

    source: str
    verification: Verification
    names: frozenset[str]


class RecognitionRules(Entry):
    """``recognising.yaml``."""

    source: str
    verification: Verification
    around: frozenset[str]
    """Words that may stand before a name and name no drug: forms, units, routes."""
    not_names: frozenset[str]
    """Names of one word that stand in sentences with their ordinary meaning."""
    ends: frozenset[str]
    """Words after which the text is no longer about the name."""
    joints: frozenset[str]
    """Words that join two drugs."""
    others: tuple[str, ...]
    """Names of what is none of the drugs that matter."""
    foreign: ForeignNames
    atc: AtcClasses
    antidepressants: OtherAntidepressants

    def may_matter(self, atc: str) -> bool:
        """Whether a code of ATC, in no table, may be a drug of a group that matters; also where it is no such code."""
        return not _ATC_SUBSTANCE.match(atc) or atc.startswith(self.atc.may_matter)


@dataclass(frozen=True, eq=False)
class DrugNames:
    """All names, for look-up by the words of a text."""

    rules: RecognitionRules
    substances: Mapping[str, str]
    """By name: the substances that it stands for, with ``|`` between them; ``SAME`` for itself, empty for no drug."""
    folded: Mapping[str, str]
    """Generic names of one word by their form without what differs between languages."""

    def at(self, words: Sequence[str], place: int) -> tuple[int, tuple[str, ...]] | None:
        """The longest name that begins at a word: how many words it has, and the substances that it stands for."""
        for count in range(min(_MOST_WORDS, len(words) - place), 0, -1):
            name = " ".join(words[place : place + count])
            if name in self.substances and name not in self.rules.not_names:
                return count, self._of(name)
        word = words[place]
        if word in self.rules.not_names or len(word) < self.rules.foreign.shortest:
            return None
        english = self.folded.get(self.rules.foreign.folded(f"{word}\n")[:-1])
        return None if english is None else (1, self._of(english))

    def _of(self, name: str) -> tuple[str, ...]:
        substances = self.substances[name]
        return (name,) if substances == SAME else tuple(filter(None, substances.split("|")))


def plain_words(text: str) -> list[str]:
    """The words and numbers of a text, in lower case and without accents."""
    return _WORD.findall(without_accents(text))


def read_drug_names(place: Path, rules: RecognitionRules, own: Iterable[str]) -> DrugNames:
    """The names of the file, of the tables (``own``) and of ``others``. Raises :class:`KnowledgeError`."""
    path = place / FILE
    try:
        generic, others, stand_for = gzip.decompress(path.read_bytes()).decode().split("\n\n")
        single = generic.split("\n")
        table = dict(zip([*single, *others.split("\n")], stand_for.splitlines(), strict=True))
    except (OSError, EOFError, ValueError) as fault:
        raise KnowledgeError(f"{path.name}: cannot be read as a list of names: {fault}") from fault
    written = [" ".join(plain_words(name)) for name in own]
    substances = {**dict.fromkeys(rules.others, ""), **table, **{name: SAME for name in written if name not in table}}
    single += [name for name in written if name.isalpha()]
    shapes = rules.foreign.folded("\n".join(single) + "\n").splitlines()
    return DrugNames(rules, substances, dict(zip(shapes, single, strict=True)))
