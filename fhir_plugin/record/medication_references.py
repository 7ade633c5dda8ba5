"""Medications that other resources refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

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
    """The references to Medications, as written, that none of those supplied answers."""
    for reference in _medication_references(resources):
        if reference.reference and _resolved(reference.reference, supplied) is None:
            yield reference.reference


def referenced_medications(
    resources: Iterable[AnyResource], supplied: Mapping[str, Medication]
) -> dict[str, Medication]:
    """Of the Medications supplied, those that are referred to, by reference as written."""
    found: dict[str, Medication] = {}
    for reference in _medication_references(resources):
        medication = _resolved(reference.reference or "", supplied)
        if medication and reference.reference:
            found[reference.reference] = medication
    return found


def mark_missing_medications(
    name: str, read: Input, medications: Mapping[str, Medication]
) -> tuple[Input, tuple[Unread, ...]]:
    """The input, and what is to be listed, when Medications that it refers to are not to be had.

    An order whose drug has not even a display text may be for any drug, so absence from the input means nothing.
    """
    if name not in MEDICATION_INPUTS:
        return read, ()
    lacking = [each for each in _medication_references(read.resources) if each.reference not in medications]
    if not lacking:
        return read, ()
    nameless = any(not reference.display for reference in lacking)
    state = InputState.PARTIAL if nameless and read.whole else read.state
    return Input(state, read.resources), (Unread(name, f"{len(lacking)} Medications referred to were not retrieved"),)


def medications_in(raw: bytes) -> dict[str, Medication]:
    """The Medications of a Bundle, or one by itself, by id; nothing from what cannot be read."""
    opened = open_value(raw)
    if not isinstance(opened, OpenedBundle):
        return {}
    resources = (entry.resource for entry in opened.entries if isinstance(entry, BundleEntry))
    return {each.id: each for each in resources if isinstance(each, Medication) and each.id}


def _medication_references(resources: Iterable[AnyResource]) -> Iterator[Reference]:
    """The references that must be followed to know the drug: not into the resource itself, and no code beside them."""
    for resource in resources:
        reference: Reference | None = getattr(resource, "medication_reference", None)
        if reference and not (reference.reference or "").startswith("#"):
            yield reference


def _resolved(reference: str, supplied: Mapping[str, Medication]) -> Medication | None:
    """The Medication meant: an absolute reference by its URL, a relative one by its id, whatever version is named."""
    return supplied.get(unversioned(reference))
