"""The name of a drug whose brand cannot be kept: a brand may be anybody's name, what it contains is not."""

from __future__ import annotations

import re
from typing import Any

from cds_hooks.replay.text_tokens import PLACEHOLDER
from fhir_plugin.facts.medications.recognised import names_in_text
from mappings.schema.codes.vocabulary import Vocabulary
from mappings.schema.medications import Medications

_GAPS = re.compile(rf"[-/,+&()]*\b{PLACEHOLDER}\b[-/,+&()]*")


class DrugTexts:
    """Names drugs by their substances where the words that are kept no longer name them."""

    def __init__(self, vocabulary: Vocabulary, medications: Medications) -> None:
        self._names = vocabulary.rules.also_names
        self._medications = medications

    def name(self, concept: Any, kept: Any) -> None:
        """Complete the texts that are kept of a concept, or of a reference, that denotes a drug; in place."""
        if not isinstance(concept, dict) or not isinstance(kept, dict):
            return
        for member in ("text", "display"):
            if isinstance(concept.get(member), str) and member in kept:
                kept[member] = self._named(concept[member], kept[member])
        for coding, kept_coding in zip(_list(concept.get("coding")), _list(kept.get("coding")), strict=False):
            self.name(coding, kept_coding)

    def _named(self, text: str, kept: str) -> str:
        substances = names_in_text(text, self._medications).substances
        if self._says_the_same(text, kept) or any(self._is_name(substance) for substance in substances):
            return kept
        complete = f"{' / '.join(substances)} {' '.join(_GAPS.sub(' ', kept).split())}".strip()
        return complete if self._says_the_same(text, complete) else kept

    def _says_the_same(self, text: str, kept: str) -> bool:
        """Whether the drugs that a text names are still named, and it is recognised as before."""
        before, after = names_in_text(text, self._medications), names_in_text(kept, self._medications)
        return before.recognised == after.recognised and set(before.substances) <= set(after.substances)

    def _is_name(self, substance: str) -> bool:
        return any(word in self._names for word in substance.split())


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
