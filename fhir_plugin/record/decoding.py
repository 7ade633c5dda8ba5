"""From bytes to one input of the record: every resource read by itself, and each about this patient.

A Bundle is decoded as a whole first. When that fails, its entries are decoded one by one, so that a resource which
cannot be read is listed and sinks nothing else. What is not whole says so: a next link, an unread resource or a
server's own word that something is missing makes the input ``PARTIAL``, and absence from it then means nothing.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from fhir_plugin.errors import BadInput
from fhir_plugin.record.bundles import (
    AnyResource,
    BundleEntry,
    subject_reference,
)
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.medication_references import MEDICATION_INPUTS, mark_missing_medications, referenced_medications
from fhir_plugin.record.opening import OpenedBundle, UnreadableEntry, open_value
from fhir_plugin.record.record import Input, InputState, Record, Unread
from fhir_plugin.record.resources import Medication, OperationOutcome, Patient
from fhir_plugin.record.sorting import ResourceSorter, issue_words
from fhir_plugin.record.subjects import (
    SubjectChecker,
    patient_id_from,
    patient_id_of,
    reference_parts,
)


@dataclass(frozen=True, slots=True)
class DecodedInput:
    """One value, read: its input and what came beside it."""

    input: Input
    unread: tuple[Unread, ...] = ()
    dropped: int = 0
    offered: int = 0
    """How many entries there were, of any kind."""
    next_url: str | None = None
    """The ``next`` link as written: where the rest of this input is."""
    medications: Mapping[str, Medication] = field(default_factory=dict)
    """Medications that came along, by ``Medication/id`` and by ``fullUrl``."""
    warnings: tuple[str, ...] = ()
    """Severity and code of OperationOutcomes beside the data: ``observations: warning not-supported``."""
    flawed: bool = False
    """Whether something of it is missing for another reason than a next page."""
    worth_asking: bool = False
    """Whether the server may give more than this value: never after an OperationOutcome or ``null``."""


def decode_value(
    name: str, raw: bytes | msgspec.Raw, patient_id: str, base_url: str | None = None, where: str | None = None
) -> DecodedInput:
    """Read one value of a prefetch, or one page of a search, as the input ``name`` of that patient.

    ``null`` is ``NONE``; an OperationOutcome, the wrong type of resource and anything that is not FHIR are
    ``UNREADABLE``. Resources of other types are passed over, Medications among them kept aside. A resource about
    somebody else is dropped and counted. One that names nobody is never evidence, although the search was for this
    patient: servers that ignore a parameter return everybody's. It is listed as unread and makes the input partial.
    ``where`` replaces the name in what is listed as unread. Raises WrongPatient for ``patient`` when a Patient is
    there and it is not this one.
    """
    where = where or name
    opened = open_value(raw)
    if opened is None:
        return DecodedInput(Input(InputState.NONE))
    if isinstance(opened, UnreadableEntry):
        return _unreadable(where, opened.why, worth_asking=True)
    expected = INPUTS[name].resource_type
    if not opened.bundle:
        refusal = _unexpected_resource(where, opened.entries[0], expected)
        if refusal:
            return refusal
    sorting = ResourceSorter(SubjectChecker(patient_id, base_url), {expected: name}, where)
    sorting.take(opened.entries)
    if name == "patient":
        sorting.insist_on_patient()
    return _decoded(name, where, opened, sorting)


def _decoded(name: str, where: str, opened: OpenedBundle, sorting: ResourceSorter) -> DecodedInput:
    lone = not opened.bundle and name != "patient"
    if lone:
        sorting.unread.append(Unread(where, f"one {INPUTS[name].resource_type} where a Bundle was expected"))
    if sorting.others and not sorting.offered:
        sorting.unread.append(Unread(where, f"{sorting.others} resources, but no {INPUTS[name].resource_type}"))
    if not opened.links_read:
        sorting.unread.append(Unread(f"{where}.link", "the links of the Bundle cannot be read"))
    flawed = bool(sorting.unread) or sorting.incomplete
    whole = not (flawed or opened.next_url)
    resources = tuple(sorting.kept[name])
    if name == "patient" and not resources:
        state = InputState.UNREADABLE if flawed else InputState.COMPLETE
    else:
        state = InputState.COMPLETE if whole else InputState.PARTIAL
    return DecodedInput(
        input=Input(state, resources),
        unread=tuple(sorting.unread),
        dropped=sorting.dropped,
        offered=len(opened.entries),
        next_url=opened.next_url,
        medications=sorting.medications,
        warnings=tuple(sorting.warnings),
        flawed=flawed,
        worth_asking=lone or opened.next_url is not None or not opened.links_read,
    )


def _unexpected_resource(where: str, lone: BundleEntry | UnreadableEntry, expected: str) -> DecodedInput | None:
    """What a value that is no Bundle comes to when it is not the resource expected either."""
    if isinstance(lone, UnreadableEntry):
        return _unreadable(where, lone.why, worth_asking=True)
    if isinstance(lone.resource, OperationOutcome):
        words = [issue_words(issue.severity, issue.code) for issue in lone.resource.issue]
        return _unreadable(where, " ".join(["an OperationOutcome:", *words]), worth_asking=False)
    found = type(lone.resource).__name__
    if found == expected:
        return None
    return _unreadable(where, f"{found} where {expected} was expected", worth_asking=True)


def _unreadable(where: str, why: str, *, worth_asking: bool) -> DecodedInput:
    return DecodedInput(Input(InputState.UNREADABLE), (Unread(where, why),), flawed=True, worth_asking=worth_asking)


def record_from_bundle(raw: bytes, patient_id: str | None = None) -> Record:
    """The record that a file holds: one Bundle, or one resource, of one patient.

    The file is the record, so every input is whole unless a resource in it could not be read or the file is itself
    only a page. Without ``patient_id`` the patient is the one Patient in it, or else the one whom all resources are
    about; BadInput when that is nobody or several, or when the bytes are not FHIR.
    """
    opened = open_value(raw.removeprefix(BOM_UTF8))
    if not isinstance(opened, OpenedBundle):
        raise BadInput("this is no FHIR Bundle in JSON")
    if not opened.bundle and not _is_wanted(opened.entries[0]):
        raise BadInput("this is neither a Bundle nor a resource of a patient's record")
    patient = patient_id_from(patient_id) if patient_id else _only_patient(opened.entries)
    names = {definition.resource_type: name for name, definition in INPUTS.items()}
    sorting = ResourceSorter(SubjectChecker(patient), names, "bundle")
    sorting.take(opened.entries)
    sorting.insist_on_patient()
    page = opened.next_url is not None or not opened.links_read
    if page:
        sorting.unread.append(Unread("bundle.link", "the file is one page of more"))
    every = [resource for name in MEDICATION_INPUTS for resource in sorting.kept[name]]
    medications = referenced_medications(every, sorting.medications)
    inputs: dict[str, Input] = {}
    for name in INPUTS:
        partial = page or sorting.incomplete or name in sorting.spoiled
        read = Input(InputState.PARTIAL if partial else InputState.COMPLETE, deduplicated(sorting.kept[name]))
        inputs[name], gaps = mark_missing_medications(name, read, medications)
        sorting.unread += gaps
    return Record(
        patient_id=patient,
        inputs=inputs,
        medications=medications,
        unread=tuple(sorting.unread),
        dropped=sorting.dropped,
        warnings=tuple(sorting.warnings),
    )


def _is_wanted(entry: BundleEntry | UnreadableEntry) -> bool:
    kind = entry.resource_type if isinstance(entry, UnreadableEntry) else type(entry.resource).__name__
    return any(definition.resource_type == kind for definition in INPUTS.values())


def _only_patient(entries: Iterable[BundleEntry | UnreadableEntry]) -> str:
    read = [entry for entry in entries if isinstance(entry, BundleEntry)]
    patients = {
        found
        for entry in read
        if isinstance(entry.resource, Patient) and (found := patient_id_of(entry.resource, entry.full_url))
    }
    about = patients or {bare for entry in read if entry.resource and (bare := _subject_id(entry.resource))}
    if len(about) != 1:
        count = f"{len(about)} patients" if about else "no patient"
        raise BadInput(f"the file is about {count}: give the id of one with --patient")
    return patient_id_from(about.pop())


def _subject_id(resource: AnyResource) -> str | None:
    reference = subject_reference(resource)
    if not reference or reference.startswith("#") or "?" in reference:
        return None
    if reference.startswith("urn:uuid:"):
        return reference.removeprefix("urn:uuid:")
    _, kind, found = reference_parts(reference)
    return found if kind in ("", "Patient") else None


def merge_pages(pages: Sequence[DecodedInput], *, finished: bool) -> DecodedInput:
    """The pages of one input as one; ``finished`` says whether the last of them was reached."""
    if len(pages) == 1 and finished:
        return pages[0]
    flawed = any(page.flawed for page in pages)
    return DecodedInput(
        input=Input(
            InputState.COMPLETE if finished and not flawed else InputState.PARTIAL,
            tuple(resource for page in pages for resource in page.input.resources),
        ),
        unread=tuple(unread for page in pages for unread in page.unread),
        dropped=sum(page.dropped for page in pages),
        offered=sum(page.offered for page in pages),
        medications={key: medication for page in pages for key, medication in page.medications.items()},
        warnings=tuple(warning for page in pages for warning in page.warnings),
        flawed=flawed,
    )


def deduplicated(resources: Sequence[AnyResource]) -> tuple[AnyResource, ...]:
    """Each resource once by type and id: of two versions the later, whatever order they came in."""
    if len({(type(each), each.id or index) for index, each in enumerate(resources)}) == len(resources):
        return tuple(resources)
    seen: dict[object, AnyResource] = {}
    for index, resource in enumerate(resources):
        key = (type(resource), resource.id or index)
        other = seen.setdefault(key, resource)
        if other is not resource:
            seen[key] = max(other, resource, key=_version)
    return tuple(seen.values())


def _version(resource: AnyResource) -> tuple[str, bytes]:
    return (resource.meta and resource.meta.last_updated) or "", msgspec.json.encode(resource)
