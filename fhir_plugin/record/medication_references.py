"""Medications that other resources refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from fhir_plugin.record.bundles import (
    AnyResource,
    BundleEntry,
)
from fhir_plugin.record.datatypes import Reference
from fhir_plugin.record.opening import OpenedBundle, open_value
from fhir_plugin.record.record import Input, InputState, Unread
from fhir_plugin.record.resources import Medication
from fhir_plugin.record.subjects import (
    unversioned,
)

MEDICATION_INPUTS = ("medicationRequests", "medicationDispenses", "medicationStatements", "medicationAdministrations")
"""The inputs whose resources may refer to a Medication."""


def unresolved_medications(resources: Iterable[AnyResource], supplied: Mapping[str, Medication]) -> Iterator[str]:
    """The references to Medications, as written, that cannot be resolved among those supplied."""
    for reference in _medication_references(resources):
        if reference.reference and _resolved(reference.reference, supplied) is None:
            yield reference.reference


def referenced_medications(
    resources: Iterable[AnyResource], supplied: Mapping[str, Medication]
) -> dict[str, Medication]:
    """The supplied Medications that are referenced, by reference as written."""
    medications: dict[str, Medication] = {}
    for reference in _medication_references(resources):
        medication = _resolved(reference.reference or "", supplied)
        if medication and reference.reference:
            medications[reference.reference] = medication
    return medications


def mark_missing_medications(
    name: str, decoded: Input, medications: Mapping[str, Medication]
) -> tuple[Input, tuple[Unread, ...]]:
    """The input, and its unread entries, with regard to referenced Medications that could not be retrieved.

    An order whose drug has not even a display text may be for any drug, so absence from the input proves nothing.
    """
    if name not in MEDICATION_INPUTS:
        return decoded, ()
    references = _medication_references(decoded.resources)
    missing = [reference for reference in references if reference.reference not in medications]
    if not missing:
        return decoded, ()
    nameless = any(not reference.display for reference in missing)
    state = InputState.PARTIAL if nameless and decoded.whole else decoded.state
    return replace(decoded, state=state), (Unread(name, f"{len(missing)} Medications referred to were not retrieved"),)


def medications_in(raw: bytes) -> dict[str, Medication]:
    """The Medications of a Bundle, or a single one, by id; empty if it cannot be read."""
    opened = open_value(raw)
    if not isinstance(opened, OpenedBundle):
        return {}
    resources = (entry.resource for entry in opened.entries if isinstance(entry, BundleEntry))
    return {resource.id: resource for resource in resources if isinstance(resource, Medication) and resource.id}


def _medication_references(resources: Iterable[AnyResource]) -> Iterator[Reference]:
    """The references that must be resolved to know the drug, without those to contained resources."""
    for resource in resources:
        reference: Reference | None = getattr(resource, "medication_reference", None)
        if reference and not (reference.reference or "").startswith("#"):
            yield reference


def _resolved(reference: str, supplied: Mapping[str, Medication]) -> Medication | None:
    """The referenced Medication: an absolute reference by URL, a relative one by id, whatever the version."""
    return supplied.get(unversioned(reference))
