"""Sorts resources into inputs, by type and subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fhir_plugin.errors import WrongPatient
from fhir_plugin.record.bundles import (
    RESOURCE_TYPES,
    AnyResource,
    BundleEntry,
)
from fhir_plugin.record.coded import is_named
from fhir_plugin.record.inputs import INPUTS, LOINC
from fhir_plugin.record.opening import UnreadableEntry
from fhir_plugin.record.record import Unread
from fhir_plugin.record.resources import (
    Medication,
    Observation,
    OperationOutcome,
    QuestionnaireResponse,
    ResponseItem,
)
from fhir_plugin.record.subjects import (
    SubjectChecker,
    SubjectMatch,
)
from mappings.schema.codes.value_sets import SNOMED_CT
from mappings.schema.instruments import LOCAL_CODES

_SEVERITIES = frozenset({"fatal", "error", "warning", "information"})


_INCOMPLETE_CODES = frozenset({"incomplete", "suppressed", "throttled", "timeout", "too-costly"})


_OTHER_CODES = frozenset({"not-supported", "informational", "processing", "business-rule", "forbidden", "security"})


_SUBJECT_MEMBER = {"devices": "patient", "allergies": "patient", "coverages": "beneficiary"}
"""The member that names the subject of a resource, where it is not ``subject``."""
_MOST_UNREAD = 100
"""Entries that could not be read and are listed; of the others, the number."""
_MEASURED_IN = (LOINC, SNOMED_CT, LOCAL_CODES)
"""The systems whose codes say what was observed, also where nothing here reads the code."""
_MOST_LEVELS = 20
"""Of items within items; forms have three or four. What is nested deeper is not read, so that what reads it may call
itself for each level."""
_TOO_DEEP = "nested too deeply"
_NO_NAME = "it does not say what was observed: no words, and no code of LOINC or SNOMED CT"
_NO_SUBJECT = "it does not say, in a way that can be resolved, whom it is about"


def issue_words(severity: str | None, code: str | None) -> str:
    """Severity and code, if they are in the FHIR code systems; anything else might be patient data."""
    known_codes = _INCOMPLETE_CODES | _OTHER_CODES
    return f"{severity if severity in _SEVERITIES else 'issue'} {code if code in known_codes else 'other'}"


class ResourceSorter:
    """Sorts the resources of one value into inputs, by type and subject."""

    def __init__(self, subjects: SubjectChecker, names: Mapping[str, str], where: str) -> None:
        self._subjects = subjects
        self._names = names
        self._where = where
        self._views: dict[type, str] = {RESOURCE_TYPES[kind]: name for kind, name in names.items()}
        self._members = {view: _SUBJECT_MEMBER.get(name, "subject") for view, name in self._views.items()}
        self.kept: dict[str, list[AnyResource]] = {name: [] for name in names.values()}
        self._kept = {view: self.kept[name] for view, name in self._views.items()}
        self.unread: list[Unread] = []
        """What could not be used, entry by entry: the first of them, and behind :meth:`add_unlisted` how many more."""
        self._unlisted = 0
        self.flawed_inputs: set[str] = set()
        """Inputs with a resource that could not be used."""
        self.dropped = 0
        self.incomplete = False
        self.medications: dict[str, Medication] = {}
        self.warnings: list[str] = []
        """What OperationOutcomes say beside the data, each once: there are a few dozen kinds."""
        self.others = 0
        """Number of resources of types not requested, without Medications and OperationOutcomes."""
        self._other_patients = 0

    @property
    def offered(self) -> bool:
        """Whether there was any resource of a requested type, whatever its subject and readable or not."""
        return bool(self.dropped or self.unread or any(self.kept.values()))

    def sort(self, entries: Sequence[BundleEntry | UnreadableEntry]) -> None:
        """Sort all entries of one Bundle: first those that name exactly this patient, then those that need a check."""
        exact, kept, members = f"Patient/{self._subjects.patient_id}", self._kept, self._members
        rest: list[tuple[int, BundleEntry | UnreadableEntry]] = []
        for index, entry in enumerate(entries):
            resource = entry.resource if isinstance(entry, BundleEntry) else None
            view = type(resource)
            subject = getattr(resource, members[view], None) if view in members else None
            if resource is None or subject is None or subject.reference != exact or _needs_a_look(resource):
                rest.append((index, entry))
            else:
                kept[view].append(resource)
        self._subjects.learn((entry.full_url, entry.resource) for _, entry in rest if isinstance(entry, BundleEntry))
        for index, entry in rest:
            self._sort_entry(index, entry)

    def _sort_entry(self, index: int, entry: BundleEntry | UnreadableEntry) -> None:
        if isinstance(entry, UnreadableEntry):
            self._add_unreadable(index, entry)
            return
        name = self._views.get(type(entry.resource))
        if name is None or entry.resource is None:
            self._add_other_type(index, entry)
            return
        match = self._subjects.match(entry.resource, entry.full_url)
        if match is not SubjectMatch.THIS_PATIENT:
            self._add_mismatch(index, name, match)
            return
        flaw = _flaw(entry.resource)
        if flaw != _TOO_DEEP:
            self.kept[name].append(entry.resource)
        if flaw:
            self._add_unread(index, name, flaw)

    def require_patient(self) -> None:
        """Raise WrongPatient if there were Patients and none is the one in context."""
        if self._other_patients and not self.kept["patient"]:
            raise WrongPatient(
                "patient: the Patient supplied is not the patient in context; nothing was used", "wrong-patient"
            )

    def _add_unreadable(self, index: int, entry: UnreadableEntry) -> None:
        if entry.resource_type is None or entry.resource_type == "Bundle":
            self._list(index, entry.why)
            self.flawed_inputs.update(self._names.values())
        elif entry.resource_type in self._names:
            self._add_unread(index, self._names[entry.resource_type], entry.why)
        else:
            self.others += 1

    def _add_mismatch(self, index: int, name: str, match: SubjectMatch) -> None:
        if match is SubjectMatch.UNCLEAR:
            self._add_unread(index, name, _NO_SUBJECT)
            return
        self.dropped += 1
        self._other_patients += name == "patient"

    def _add_other_type(self, index: int, entry: BundleEntry) -> None:
        resource = entry.resource
        if isinstance(resource, Medication):
            if resource.id:
                self.medications[resource.reference] = resource
            if entry.full_url:
                self.medications[entry.full_url] = resource
        elif isinstance(resource, OperationOutcome):
            self._add_warnings(resource)
        elif resource is None:
            self._add_unreadable(index, UnreadableEntry(None, "an entry without a resource"))
        else:
            self.others += 1

    def _add_warnings(self, outcome: OperationOutcome) -> None:
        for issue in outcome.issue:
            warning = f"{self._where}: {issue_words(issue.severity, issue.code)}"
            if warning not in self.warnings:
                self.warnings.append(warning)
            self.incomplete |= issue.severity in ("error", "fatal") or issue.code in _INCOMPLETE_CODES

    def _add_unread(self, index: int, name: str, why: str) -> None:
        self._list(index, f"{INPUTS[name].resource_type}: {why}")
        self.flawed_inputs.add(name)

    def _list(self, index: int, why: str) -> None:
        if len(self.unread) < _MOST_UNREAD:
            self.unread.append(Unread(f"{self._where}.entry[{index}]", why))
        else:
            self._unlisted += 1

    def add_unlisted(self) -> None:
        """Add the number of entries that could not be used and are not listed."""
        if self._unlisted:
            self.unread.append(Unread(f"{self._where}.entry", f"{self._unlisted} more entries that cannot be read"))


def _needs_a_look(resource: AnyResource) -> bool:
    """Whether a resource with this patient as its subject may be about somebody else, or cannot be read in whole."""
    if isinstance(resource, Observation):
        return bool(resource.focus) or not _says_what(resource)
    return isinstance(resource, QuestionnaireResponse) and _is_deep(resource)


def _flaw(resource: AnyResource | None) -> str:
    """What keeps an Observation or a response from being read, in whole or in part; empty for others."""
    if isinstance(resource, Observation):
        return "" if _says_what(resource) else _NO_NAME
    return _TOO_DEEP if isinstance(resource, QuestionnaireResponse) and _is_deep(resource) else ""


def _says_what(observation: Observation) -> bool:
    """Whether it says what was observed, itself or in its components."""
    if is_named(observation.code, _MEASURED_IN):
        return True
    return any(is_named(part.code, _MEASURED_IN) for part in observation.component)


def _is_deep(response: QuestionnaireResponse) -> bool:
    """Whether there are items within items at more levels than any form has."""
    items: Sequence[ResponseItem] = response.item
    for _ in range(_MOST_LEVELS):
        below_answers = [inner for item in items for answer in item.answer for inner in answer.item]
        items = [inner for item in items for inner in item.item] + below_answers
        if not items:
            return False
    return True
