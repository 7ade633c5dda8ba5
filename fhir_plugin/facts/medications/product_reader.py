"""The drugs that the resources of one record name, each identified once; a short name once for all records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from fhir_plugin.facts.medications.products import IdentifiedProduct, identify, identify_medication
from fhir_plugin.record.datatypes import CodeableConcept, Raw, Reference
from fhir_plugin.record.resources import Medication
from mappings.schema.medications import Medications

MAX_KEY_BYTES = 2048
"""What is cached across records has no larger key, so that no request can fill the memory."""
_MAX_CACHED_CONCEPTS = 4096


@lru_cache(maxsize=8)
def _kept_products(_medications: Medications) -> dict[CodeableConcept, IdentifiedProduct]:
    """The drugs by their concepts, cached across records: a concept holds the name of a drug, and no patient."""
    return {}


def clear_product_cache() -> None:
    """Clear the cache, so that the drugs of the next record are identified again."""
    _kept_products.cache_clear()


class ProductReader:
    """The drugs of one record."""

    __slots__ = ("_by_reference", "_kept", "_medications", "_seen")

    def __init__(self, medications: Medications, by_reference: Mapping[str, Medication]) -> None:
        self._medications = medications
        self._by_reference = by_reference
        self._kept = _kept_products(medications)
        self._seen: dict[CodeableConcept, IdentifiedProduct] = {}

    def of(
        self, concept: CodeableConcept | None, reference: Reference | None, contained: Sequence[Raw] = ()
    ) -> IdentifiedProduct:
        """The product that a request, dispense, statement or administration names."""
        if concept is None:
            return identify_medication(
                None, reference, self._medications, by_reference=self._by_reference, contained=contained
            )
        return self._kept.get(concept) or self._seen.get(concept) or self._identified(concept)

    def _identified(self, concept: CodeableConcept) -> IdentifiedProduct:
        identified = identify(concept, self._medications)
        if len(msgspec.msgpack.encode(concept)) > MAX_KEY_BYTES:
            self._seen[concept] = identified
            return identified
        if len(self._kept) >= _MAX_CACHED_CONCEPTS:
            self._kept.clear()
        self._kept[concept] = identified
        return identified
