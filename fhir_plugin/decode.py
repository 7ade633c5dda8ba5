"""From bytes to one input of the record: every resource read by itself, and each about this patient.

A Bundle is decoded as a whole first. When that fails, its entries are decoded one by one, so that a resource which
cannot be read is listed and sinks nothing else. What is not whole says so: a next link, an unread resource or a
server's own word that something is missing makes the input ``PARTIAL``, and absence from it then means nothing.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from fhir_plugin.errors import BadInput, WrongPatient
from fhir_plugin.inputs import INPUTS
from fhir_plugin.record import Input, InputState, Record, Unread
from fhir_plugin.resources import (
    RESOURCE_TYPES,
    UNDECODABLE,
    AnyResource,
    Bundle,
    BundleEntry,
    BundleLink,
    Medication,
    OperationOutcome,
    Patient,
    RawBundle,
    RawEntry,
    Reference,
    Tag,
    subject_reference,
)
from fhir_plugin.subjects import Subjects, Whose, patient_id_from, patient_id_of, reference_parts, unversioned

MEDICATION_INPUTS = ("medicationRequests", "medicationDispenses", "medicationStatements", "medicationAdministrations")
"""The inputs whose resources may refer to a Medication."""

_ANYTHING = msgspec.json.Decoder(AnyResource | Bundle | None)
_ENTRY = msgspec.json.Decoder(BundleEntry)
_RAW_ENTRY = msgspec.json.Decoder(RawEntry)
_RAW_BUNDLE = msgspec.json.Decoder(RawBundle)
_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw] | None)
_LINKS = msgspec.json.Decoder(list[BundleLink] | None)
_TAG = msgspec.json.Decoder(Tag)

_SEVERITIES = frozenset({"fatal", "error", "warning", "information"})
_INCOMPLETE_CODES = frozenset({"incomplete", "suppressed", "throttled", "timeout", "too-costly"})
_OTHER_CODES = frozenset({"not-supported", "informational", "processing", "business-rule", "forbidden", "security"})

_ABOUT = {"devices": "patient", "allergies": "patient", "coverages": "beneficiary"}
"""The member that says whom a resource is about, where it is not ``subject``."""
_NO_SUBJECT = "it does not say, in a way that can be resolved, whom it is about"


@dataclass(frozen=True, slots=True)
class Decoded:
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


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A Bundle entry that cannot be decoded; ``resource_type`` where at least that can be told."""

    resource_type: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A value taken apart, nothing judged yet."""

    entries: Sequence[BundleEntry | Spoiled]
    next_url: str | None = None
    links_read: bool = True
    bundle: bool = True


def decode_value(
    name: str, raw: bytes | msgspec.Raw, patient_id: str, base_url: str | None = None, where: str | None = None
) -> Decoded:
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
        return Decoded(Input(InputState.NONE))
    if isinstance(opened, Spoiled):
        return _unreadable(where, opened.why, worth_asking=True)
    expected = INPUTS[name].resource_type
    if not opened.bundle:
        refusal = _refused(where, opened.entries[0], expected)
        if refusal:
            return refusal
    sorting = _Sorting(Subjects(patient_id, base_url), {expected: name}, where)
    sorting.take(opened.entries)
    if name == "patient":
        sorting.insist_on_patient()
    return _decoded(name, where, opened, sorting)


def _decoded(name: str, where: str, opened: Opened, sorting: _Sorting) -> Decoded:
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
    return Decoded(
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


def _refused(where: str, lone: BundleEntry | Spoiled, expected: str) -> Decoded | None:
    """What a value that is no Bundle comes to when it is not the resource expected either."""
    if isinstance(lone, Spoiled):
        return _unreadable(where, lone.why, worth_asking=True)
    if isinstance(lone.resource, OperationOutcome):
        words = [_issue_words(issue.severity, issue.code) for issue in lone.resource.issue]
        return _unreadable(where, " ".join(["an OperationOutcome:", *words]), worth_asking=False)
    found = type(lone.resource).__name__
    if found == expected:
        return None
    return _unreadable(where, f"{found} where {expected} was expected", worth_asking=True)


def _unreadable(where: str, why: str, *, worth_asking: bool) -> Decoded:
    return Decoded(Input(InputState.UNREADABLE), (Unread(where, why),), flawed=True, worth_asking=worth_asking)


def record_from_bundle(raw: bytes, patient_id: str | None = None) -> Record:
    """The record that a file holds: one Bundle, or one resource, of one patient.

    The file is the record, so every input is whole unless a resource in it could not be read or the file is itself
    only a page. Without ``patient_id`` the patient is the one Patient in it, or else the one whom all resources are
    about; BadInput when that is nobody or several, or when the bytes are not FHIR.
    """
    opened = open_value(raw.removeprefix(BOM_UTF8))
    if not isinstance(opened, Opened):
        raise BadInput("this is no FHIR Bundle in JSON")
    if not opened.bundle and not _is_wanted(opened.entries[0]):
        raise BadInput("this is neither a Bundle nor a resource of a patient's record")
    patient = patient_id_from(patient_id) if patient_id else _only_patient(opened.entries)
    names = {definition.resource_type: name for name, definition in INPUTS.items()}
    sorting = _Sorting(Subjects(patient), names, "bundle")
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
        read = Input(InputState.PARTIAL if partial else InputState.COMPLETE, once(sorting.kept[name]))
        inputs[name], gaps = without_medications(name, read, medications)
        sorting.unread += gaps
    return Record(
        patient_id=patient,
        inputs=inputs,
        medications=medications,
        unread=tuple(sorting.unread),
        dropped=sorting.dropped,
        warnings=tuple(sorting.warnings),
    )


def _is_wanted(entry: BundleEntry | Spoiled) -> bool:
    kind = entry.resource_type if isinstance(entry, Spoiled) else type(entry.resource).__name__
    return any(definition.resource_type == kind for definition in INPUTS.values())


def _only_patient(entries: Iterable[BundleEntry | Spoiled]) -> str:
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


def open_value(raw: bytes | msgspec.Raw) -> Opened | Spoiled | None:
    """Take a Bundle or a single resource apart: the fast way, and entry by entry when that fails; ``null`` is None."""
    try:
        value = _ANYTHING.decode(raw)
    except UNDECODABLE as error:
        return _open_patiently(raw, _why(error))
    if isinstance(value, Bundle):
        return Opened(value.entry, _next_url(value.link))
    return None if value is None else Opened((BundleEntry(resource=value),), bundle=False)


def _open_patiently(raw: bytes | msgspec.Raw, why: str) -> Opened | Spoiled:
    kind = _resource_type(raw)
    if kind is None:
        return Spoiled(None, "not FHIR in JSON")
    if kind != "Bundle":
        known = kind if kind in RESOURCE_TYPES else None
        return Opened((Spoiled(known, why if known else "a resource of a type that is not read"),), bundle=False)
    try:
        bundle = _RAW_BUNDLE.decode(raw)
        entries = _RAW_LIST.decode(bundle.entry) or []
    except UNDECODABLE as error:
        return Spoiled("Bundle", _why(error))
    try:
        next_url, links_read = _next_url(_LINKS.decode(bundle.link) or ()), True
    except UNDECODABLE:
        next_url, links_read = None, False
    return Opened([_open_entry(entry) for entry in entries], next_url, links_read)


def _open_entry(raw: msgspec.Raw) -> BundleEntry | Spoiled:
    try:
        return _ENTRY.decode(raw)
    except UNDECODABLE as error:
        why = _why(error)
    try:
        kind = _resource_type(_RAW_ENTRY.decode(raw).resource)
    except UNDECODABLE:
        kind = None
    if kind is None:
        return Spoiled(None, "an entry without a readable resource")
    return Spoiled(kind, why)


def _resource_type(raw: bytes | msgspec.Raw) -> str | None:
    try:
        return _TAG.decode(raw).resource_type
    except UNDECODABLE:
        return None


def _why(error: Exception) -> str:
    """What is wrong and where, by the decoder's own words; never a value."""
    if isinstance(error, msgspec.ValidationError) and "Invalid value" not in str(error):
        return str(error)
    return "nested too deeply" if isinstance(error, RecursionError) else "not valid JSON"


def _next_url(links: Iterable[BundleLink]) -> str | None:
    return next((link.url for link in links if link.relation == "next" and link.url), None)


def _issue_words(severity: str | None, code: str | None) -> str:
    """Severity and code, if they are of the FHIR code systems; anything else might be data."""
    known = _INCOMPLETE_CODES | _OTHER_CODES
    return f"{severity if severity in _SEVERITIES else 'issue'} {code if code in known else 'other'}"


class _Sorting:
    """Sorts the resources of one value into inputs, by type and by whom they are about."""

    def __init__(self, subjects: Subjects, names: Mapping[str, str], where: str) -> None:
        self._subjects = subjects
        self._names = names
        self._where = where
        self._views: dict[type, str] = {RESOURCE_TYPES[kind]: name for kind, name in names.items()}
        self.kept: dict[str, list[AnyResource]] = {name: [] for name in names.values()}
        self.unread: list[Unread] = []
        self.spoiled: set[str] = set()
        self.dropped = 0
        self.incomplete = False
        self.medications: dict[str, Medication] = {}
        self.warnings: list[str] = []
        self.others = 0
        """How many resources were of types not asked for, Medications and OperationOutcomes aside."""
        self._patients_of_others = 0

    @property
    def offered(self) -> bool:
        """Whether anything of a type asked for was there, whoever it is about and whether or not it can be read."""
        return bool(self.dropped or self.unread or any(self.kept.values()))

    def take(self, entries: Sequence[BundleEntry | Spoiled]) -> None:
        """Sort all entries of one Bundle: those that name the patient outright first, then those to be looked into."""
        views, kept, exact = self._views, self.kept, f"Patient/{self._subjects.patient_id}"
        rest: list[tuple[int, BundleEntry | Spoiled]] = []
        for index, entry in enumerate(entries):
            resource = entry.resource if isinstance(entry, BundleEntry) else None
            name = views.get(type(resource))
            about = getattr(resource, _ABOUT.get(name, "subject"), None) if name else None
            if name and about is not None and about.reference == exact and not getattr(resource, "focus", None):
                kept[name].append(resource)  # type: ignore[arg-type]  # its type is in the table, so it is not None
            else:
                rest.append((index, entry))
        self._subjects.learn((each.full_url, each.resource) for _, each in rest if isinstance(each, BundleEntry))
        for index, entry in rest:
            self._look_into(index, entry)

    def _look_into(self, index: int, entry: BundleEntry | Spoiled) -> None:
        if isinstance(entry, Spoiled):
            self._take_spoiled(index, entry)
            return
        name = self._views.get(type(entry.resource))
        if name is None or entry.resource is None:
            self._take_beside(index, entry)
            return
        about = self._subjects.whose(entry.resource, entry.full_url)
        if about is Whose.THIS_PATIENT:
            self.kept[name].append(entry.resource)
        else:
            self._take_of_others(index, name, about)

    def insist_on_patient(self) -> None:
        """Raise WrongPatient when Patients were there and none is the one in context."""
        if self._patients_of_others and not self.kept["patient"]:
            raise WrongPatient("patient: the Patient supplied is not the patient in context; nothing was used")

    def _take_spoiled(self, index: int, entry: Spoiled) -> None:
        if entry.resource_type is None or entry.resource_type == "Bundle":
            self.unread.append(Unread(f"{self._where}.entry[{index}]", entry.why))
            self.spoiled.update(self._names.values())
        elif entry.resource_type in self._names:
            self._list(index, self._names[entry.resource_type], entry.why)
        else:
            self.others += 1

    def _take_of_others(self, index: int, name: str, about: Whose) -> None:
        if about is Whose.UNCLEAR:
            self._list(index, name, _NO_SUBJECT)
            return
        self.dropped += 1
        self._patients_of_others += name == "patient"

    def _take_beside(self, index: int, entry: BundleEntry) -> None:
        resource = entry.resource
        if isinstance(resource, Medication):
            if resource.id:
                self.medications[resource.reference] = resource
            if entry.full_url:
                self.medications[entry.full_url] = resource
        elif isinstance(resource, OperationOutcome):
            self._note(resource)
        elif resource is None:
            self._take_spoiled(index, Spoiled(None, "an entry without a resource"))
        else:
            self.others += 1

    def _note(self, outcome: OperationOutcome) -> None:
        for issue in outcome.issue:
            self.warnings.append(f"{self._where}: {_issue_words(issue.severity, issue.code)}")
            self.incomplete |= issue.severity in ("error", "fatal") or issue.code in _INCOMPLETE_CODES

    def _list(self, index: int, name: str, why: str) -> None:
        self.unread.append(Unread(f"{self._where}.entry[{index}]", f"{INPUTS[name].resource_type}: {why}"))
        self.spoiled.add(name)


def merged(pages: Sequence[Decoded], *, finished: bool) -> Decoded:
    """The pages of one input as one; ``finished`` says whether the last of them was reached."""
    if len(pages) == 1 and finished:
        return pages[0]
    flawed = any(page.flawed for page in pages)
    return Decoded(
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


def once(resources: Sequence[AnyResource]) -> tuple[AnyResource, ...]:
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


def without_medications(
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
    if not isinstance(opened, Opened):
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
