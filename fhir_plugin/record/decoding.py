"""Decodes bytes into one input of the record: every resource by itself, and only resources about this patient.

A Bundle is decoded as a whole first. If that fails, its entries are decoded one by one, so that a resource which
cannot be read is listed as unread and affects no other. A next link, an unread resource, a total above what came, a
full page that does not say whether it is the last, or a server's own statement that something is missing makes the
input ``PARTIAL``; absence from it then proves nothing.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

import msgspec

from fhir_plugin.errors import BadInput
from fhir_plugin.record.bundles import (
    AnyResource,
    BundleEntry,
    subject_reference,
)
from fhir_plugin.record.inputs import INPUTS, PAGE_SIZE
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

_MOST_ISSUES = 5
"""Of an OperationOutcome in place of data: kinds of issue that are named, each once."""


@dataclass(frozen=True, slots=True)
class DecodedInput:
    """One decoded value: its input and accompanying information."""

    input: Input
    unread: tuple[Unread, ...] = ()
    dropped: int = 0
    offered: int = 0
    """Number of entries, of any kind."""
    next_url: str | None = None
    """The ``next`` link as written: the rest of this input."""
    medications: Mapping[str, Medication] = field(default_factory=dict)
    """Included Medications, by ``Medication/id`` and by ``fullUrl``."""
    warnings: tuple[str, ...] = ()
    """Severity and code of OperationOutcomes alongside the data: ``observations: warning not-supported``."""
    flawed: bool = False
    """Whether something is missing for a reason other than a next page."""
    matches: int = 0
    """How many entries match the search, without included resources."""
    total: float | None = None
    """What the server says that all pages have together."""
    worth_asking: bool = False
    """Whether the server may have more than this value: never after an OperationOutcome or ``null``."""


def decode_value(
    name: str,
    raw: bytes | msgspec.Raw,
    patient_id: str,
    base_url: str | None = None,
    where: str | None = None,
    before: Sequence[DecodedInput] = (),
    *,
    answered: bool = False,
) -> DecodedInput:
    """Decode one value of a prefetch, or one page of a search, as the input ``name`` of that patient.

    ``null`` in a prefetch is ``NONE``, and no answer to a search (``answered``). An OperationOutcome, a resource of
    the wrong type and anything that is not FHIR are ``UNREADABLE``. Resources of other types are ignored, except that
    Medications are kept separately. A resource about somebody else is dropped and counted. A resource without a
    subject is never evidence, even in a search for this patient, because a server that ignores the parameter returns
    everybody's; it is listed as unread and makes the input partial. ``where`` replaces the name in the list of unread
    resources; ``before`` are the earlier pages of the search. Raises WrongPatient if the input ``patient`` contains a
    different Patient.
    """
    where = where or name
    opened = open_value(raw)
    if opened is None:
        if answered:
            return _unreadable(where, "null where a Bundle was expected", worth_asking=False)
        return DecodedInput(Input(InputState.NONE))
    if isinstance(opened, UnreadableEntry):
        return _unreadable(where, opened.why, worth_asking=True)
    expected = INPUTS[name].resource_type
    if not opened.bundle:
        refusal = _unexpected_resource(where, opened.entries[0], expected)
        if refusal:
            return refusal
    sorter = ResourceSorter(SubjectChecker(patient_id, base_url), {expected: name}, where)
    sorter.sort(opened.entries)
    if name == "patient":
        sorter.require_patient()
    sorter.add_unlisted()
    one_of_several = bool(before) or opened.next_url is not None
    # Counting takes time, and without a total there is nothing to compare the number with.
    matches = opened.matches(expected) if one_of_several or opened.total is not None else 0
    short = "" if opened.next_url else _shortfall(matches, opened.total, before)
    return _decoded(name, where, opened, sorter, matches, short or ("" if answered else _full_page(opened, expected)))


def _decoded(
    name: str, where: str, opened: OpenedBundle, sorter: ResourceSorter, matches: int, short: str
) -> DecodedInput:
    single = not opened.bundle and name != "patient"
    sorter.unread += _gaps(name, where, opened, sorter, single=single, short=short)
    flawed = bool(sorter.unread) or sorter.incomplete
    whole = not (flawed or opened.next_url)
    resources = tuple(sorter.kept[name])
    if name == "patient" and not resources:
        state = InputState.UNREADABLE if flawed else InputState.COMPLETE
    else:
        state = InputState.COMPLETE if whole else InputState.PARTIAL
    return DecodedInput(
        input=Input(state, resources, short),
        unread=tuple(sorter.unread),
        dropped=sorter.dropped,
        offered=len(opened.entries),
        next_url=opened.next_url,
        matches=matches,
        total=opened.total,
        medications=sorter.medications,
        warnings=tuple(sorter.warnings),
        flawed=flawed,
        worth_asking=single or opened.next_url is not None or not opened.links_read or bool(short),
    )


def _gaps(
    name: str, where: str, opened: OpenedBundle, sorter: ResourceSorter, *, single: bool, short: str
) -> Iterator[Unread]:
    """Why the value as a whole is not all of the input, beside the resources that could not be read."""
    if single:
        yield Unread(where, f"one {INPUTS[name].resource_type} where a Bundle was expected")
    if sorter.others and not sorter.offered and not single:
        yield Unread(where, f"{sorter.others} resources, but no {INPUTS[name].resource_type}")
    if not opened.links_read:
        yield Unread(f"{where}.link", "the links of the Bundle cannot be read")
    if short:
        yield Unread(f"{where}.total", short)


def _full_page(opened: OpenedBundle, expected: str) -> str:
    """That a prefetched value holds just as many entries as its template asks for, and nothing tells whether all came.

    A client that copies the entries of a search without its links may have left the following pages behind.
    """
    if opened.linked or opened.total is not None or len(opened.entries) < PAGE_SIZE:
        return ""
    page = opened.matches(expected) == PAGE_SIZE
    return f"{PAGE_SIZE} entries, as many as were asked for, without a total or links" if page else ""


def _shortfall(matches: int, total: float | None, before: Sequence[DecodedInput] = ()) -> str:
    """What is missing by the total of a search: on its last page, else on the last of the earlier pages that has one.

    A total may be an estimate, above all before the last page: fewer than came mean nothing.
    """
    matches += sum(page.matches for page in before)
    for page in reversed(before):
        total = page.total if total is None else total
    return f"{matches} of {total:g} entries" if total is not None and matches < total else ""


def _unexpected_resource(where: str, entry: BundleEntry | UnreadableEntry, expected: str) -> DecodedInput | None:
    """The unreadable input for a value that is neither a Bundle nor the expected resource; ``None`` if it is one."""
    if isinstance(entry, UnreadableEntry):
        return _unreadable(where, entry.why, worth_asking=True)
    if isinstance(entry.resource, OperationOutcome):
        issues = dict.fromkeys(issue_words(issue.severity, issue.code) for issue in entry.resource.issue)
        words = [*islice(issues, _MOST_ISSUES), *(["and others"] if len(issues) > _MOST_ISSUES else [])]
        return _unreadable(where, " ".join(["an OperationOutcome:", *words]), worth_asking=False)
    actual = type(entry.resource).__name__
    if actual == expected:
        return None
    return _unreadable(where, f"{actual} where {expected} was expected", worth_asking=True)


def _unreadable(where: str, why: str, *, worth_asking: bool) -> DecodedInput:
    return DecodedInput(Input(InputState.UNREADABLE), (Unread(where, why),), flawed=True, worth_asking=worth_asking)


def record_from_bundle(raw: bytes, patient_id: str | None = None) -> Record:
    """The record in a file: one Bundle, or one resource, of one patient.

    The file is the whole record, so every input is whole unless one of its resources could not be read or the file is
    a single page of a search. Without ``patient_id`` the patient is the only Patient in the file, or else the subject
    of all resources; raises BadInput if there is none or several, or if the bytes are not FHIR.
    """
    opened = open_value(raw.removeprefix(BOM_UTF8), bounded=False)
    if not isinstance(opened, OpenedBundle):
        raise BadInput("this is not a FHIR Bundle in JSON")
    if not opened.bundle and not _is_wanted(opened.entries[0]):
        raise BadInput("this is neither a Bundle nor a resource of a patient's record")
    patient = patient_id_from(patient_id) if patient_id else _only_patient(opened.entries)
    names = {definition.resource_type: name for name, definition in INPUTS.items()}
    sorter = ResourceSorter(SubjectChecker(patient), names, "bundle")
    sorter.sort(opened.entries)
    sorter.require_patient()
    sorter.add_unlisted()
    page = _is_one_page(opened)
    if page:
        sorter.unread.append(Unread("bundle.link", "the file is one page of more"))
    prescriptions = [resource for name in MEDICATION_INPUTS for resource in sorter.kept[name]]
    medications = referenced_medications(prescriptions, sorter.medications)
    inputs: dict[str, Input] = {}
    for name in INPUTS:
        partial = page or sorter.incomplete or name in sorter.flawed_inputs
        decoded = Input(InputState.PARTIAL if partial else InputState.COMPLETE, deduplicated(sorter.kept[name]))
        inputs[name], gaps = mark_missing_medications(name, decoded, medications)
        sorter.unread += gaps
    return Record(
        patient_id=patient,
        inputs=inputs,
        medications=medications,
        unread=tuple(sorter.unread),
        dropped=sorter.dropped,
        warnings=tuple(sorter.warnings),
    )


def _is_one_page(opened: OpenedBundle) -> bool:
    """Whether a Bundle is a page of more, or may be."""
    short = opened.total is not None and bool(_shortfall(opened.matches(), opened.total))
    return short or opened.next_url is not None or not opened.links_read


def _is_wanted(entry: BundleEntry | UnreadableEntry) -> bool:
    kind = entry.resource_type if isinstance(entry, UnreadableEntry) else type(entry.resource).__name__
    return any(definition.resource_type == kind for definition in INPUTS.values())


def _only_patient(entries: Iterable[BundleEntry | UnreadableEntry]) -> str:
    readable = [entry for entry in entries if isinstance(entry, BundleEntry)]
    patients = {
        patient_id
        for entry in readable
        if isinstance(entry.resource, Patient) and (patient_id := patient_id_of(entry.resource, entry.full_url))
    }
    ids = patients or {
        subject_id for entry in readable if entry.resource and (subject_id := _subject_id(entry.resource))
    }
    if len(ids) != 1:
        count = f"{len(ids)} patients" if ids else "no patient"
        raise BadInput(f"the file is about {count}: give the id of one with --patient")
    return patient_id_from(ids.pop())


def _subject_id(resource: AnyResource) -> str | None:
    reference = subject_reference(resource)
    if not reference or reference.startswith("#") or "?" in reference:
        return None
    if reference.startswith("urn:uuid:"):
        return reference.removeprefix("urn:uuid:")
    _, kind, subject_id = reference_parts(reference)
    return subject_id if kind in ("", "Patient") else None


def merge_pages(pages: Sequence[DecodedInput], *, finished: bool) -> DecodedInput:
    """Merge the pages of one input; ``finished`` says whether the last page was reached."""
    if len(pages) == 1 and finished:
        return pages[0]
    flawed = any(page.flawed for page in pages)
    return DecodedInput(
        input=Input(
            InputState.COMPLETE if finished and not flawed else InputState.PARTIAL,
            tuple(chain.from_iterable(page.input.resources for page in pages)),
            next((page.input.why for page in pages if page.input.why), ""),
        ),
        unread=tuple(chain.from_iterable(page.unread for page in pages)),
        dropped=sum(page.dropped for page in pages),
        offered=sum(page.offered for page in pages),
        medications={key: medication for page in pages for key, medication in page.medications.items()},
        warnings=tuple(chain.from_iterable(page.warnings for page in pages)),
        flawed=flawed,
    )


def deduplicated(resources: Sequence[AnyResource]) -> tuple[AnyResource, ...]:
    """The resources without duplicates of type and id: the later of two versions, whatever their order."""
    if len({(type(resource), resource.id or index) for index, resource in enumerate(resources)}) == len(resources):
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
