"""What a table says of the codes of a concept, and whether a concept says anything at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

from fhir_plugin.record.datatypes import CodeableConcept
from mappings.schema.codes.systems import plain_system

ValueT = TypeVar("ValueT")


def entry_of(
    concept: CodeableConcept | None, table: Mapping[str, ValueT], systems: Collection[str | None]
) -> ValueT | None:
    """The entry for the first code of the concept that the table contains; ``systems`` are those of its codes."""
    for coding in concept.coding if concept else ():
        entry = table.get(coding.code or "")
        if entry is not None and plain_system(coding.system) in systems:
            return entry
    return None


def is_named(concept: CodeableConcept | None, systems: Collection[str | None]) -> bool:
    """Whether it has words, or a code of one of these systems: a server's own code without words says nothing."""
    if concept is None:
        return False
    if concept.text:
        return True
    return any(coding.display or (coding.code and plain_system(coding.system) in systems) for coding in concept.coding)
