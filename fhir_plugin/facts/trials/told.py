"""Antidepressant trials that stand only in words: in the note of a problem or a drug, or in the name of a problem.

``Failed Zoloft, Effexor``: neither dose nor duration is known, so nothing is counted, but the count stays open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fhir_plugin.facts.medications.named_products import product_in_text
from fhir_plugin.facts.medications.products import ANTIDEPRESSANT
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Condition, MedicationDispense, MedicationRequest, MedicationStatement
from mappings.schema.medications import Medications

ANY = "antidepressants"
"""In place of an ingredient, where only the class is named."""
_SENTENCES = re.compile(r"[.;\n]+")


def told_trials(record: Record, medications: Medications) -> frozenset[str]:
    """The ingredients of which words tell that they were tried, and :data:`ANY` where a text names only the class."""
    # The name of a problem and the note of a refill are repeated at every visit.
    return frozenset(name for text in dict.fromkeys(_texts(record)) for name in _told(text, medications))


def _texts(record: Record) -> Iterator[str]:
    conditions = list(record.all("conditions", Condition))
    entries: list[Condition | MedicationRequest | MedicationDispense | MedicationStatement] = [
        *conditions,
        *record.all("medicationRequests", MedicationRequest),
        *record.all("medicationDispenses", MedicationDispense),
        *record.all("medicationStatements", MedicationStatement),
    ]
    yield from [note.text for entry in entries for note in entry.note if note.text]
    yield from [condition.code.text for condition in conditions if condition.code and condition.code.text]


def _told(text: str, medications: Medications) -> Iterator[str]:
    """The antidepressants of the sentences that tell of a trial, and of the list that goes on behind one."""
    told = medications.reasons.told_trials
    goes_on = False
    for sentence in _SENTENCES.split(text.lower()):
        words = f" {sentence}".replace("-", " ").replace("(", " ").replace(",", " ")
        if not goes_on and not any(map(words.__contains__, told.starts)):
            continue
        product = product_in_text(sentence, medications, is_name=False)
        named = [
            part.ingredient
            for part in (product.parts if product else ())
            if ANTIDEPRESSANT in medications.ingredients[part.ingredient].groups
        ]
        yield from named
        goes_on = bool(named)
        if not named and any(f" {word}" in words for word in told.class_words):
            yield ANY
