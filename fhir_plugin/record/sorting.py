"""Resources sorted into inputs, by type and by whom they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fhir_plugin.errors import WrongPatient
from fhir_plugin.record.bundles import (
    RESOURCE_TYPES,
    AnyResource,
    BundleEntry,
)
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.opening import UnreadableEntry
from fhir_plugin.record.record import Unread
from fhir_plugin.record.resources import Medication, OperationOutcome
from fhir_plugin.record.subjects import (
    SubjectChecker,
    SubjectMatch,
)

_SEVERITIES = frozenset({"fatal", "error", "warning", "information"})


_INCOMPLETE_CODES = frozenset({"incomplete", "suppressed", "throttled", "timeout", "too-costly"})


_OTHER_CODES = frozenset({"not-supported", "informational", "processing", "business-rule", "forbidden", "security"})


_SUBJECT_MEMBER = {"devices": "patient", "allergies": "patient", "coverages": "beneficiary"}
"""The member that says whom a resource is about, where it is not ``subject``."""


_NO_SUBJECT = "it does not say, in a way that can be resolved, whom it is about"


def issue_words(severity: str | None, code: str | None) -> str:
    """Severity and code, if they are of the FHIR code systems; anything else might be data."""
    known = _INCOMPLETE_CODES | _OTHER_CODES
    return f"{severity if severity in _SEVERITIES else 'issue'} {code if code in known else 'other'}"


class ResourceSorter:
    """Sorts the resources of one value into inputs, by type and by whom they are about."""

    def __init__(self, subjects: SubjectChecker, names: Mapping[str, str], where: str) -> None:
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

    def take(self, entries: Sequence[BundleEntry | UnreadableEntry]) -> None:
        """Sort all entries of one Bundle: those that name the patient outright first, then those to be looked into."""
        views, kept, exact = self._views, self.kept, f"Patient/{self._subjects.patient_id}"
        rest: list[tuple[int, BundleEntry | UnreadableEntry]] = []
        for index, entry in enumerate(entries):
            resource = entry.resource if isinstance(entry, BundleEntry) else None
            name = views.get(type(resource))
            about = getattr(resource, _SUBJECT_MEMBER.get(name, "subject"), None) if name else None
            if name and about is not None and about.reference == exact and not getattr(resource, "focus", None):
                kept[name].append(resource)  # type: ignore[arg-type]  # its type is in the table, so it is not None
            else:
                rest.append((index, entry))
        self._subjects.learn((each.full_url, each.resource) for _, each in rest if isinstance(each, BundleEntry))
        for index, entry in rest:
            self._look_into(index, entry)

    def _look_into(self, index: int, entry: BundleEntry | UnreadableEntry) -> None:
        if isinstance(entry, UnreadableEntry):
            self._take_spoiled(index, entry)
            return
        name = self._views.get(type(entry.resource))
        if name is None or entry.resource is None:
            self._take_beside(index, entry)
            return
        about = self._subjects.whose(entry.resource, entry.full_url)
        if about is SubjectMatch.THIS_PATIENT:
            self.kept[name].append(entry.resource)
        else:
            self._take_of_others(index, name, about)

    def insist_on_patient(self) -> None:
        """Raise WrongPatient when Patients were there and none is the one in context."""
        if self._patients_of_others and not self.kept["patient"]:
            raise WrongPatient("patient: the Patient supplied is not the patient in context; nothing was used")

    def _take_spoiled(self, index: int, entry: UnreadableEntry) -> None:
        if entry.resource_type is None or entry.resource_type == "Bundle":
            self.unread.append(Unread(f"{self._where}.entry[{index}]", entry.why))
            self.spoiled.update(self._names.values())
        elif entry.resource_type in self._names:
            self._list(index, self._names[entry.resource_type], entry.why)
        else:
            self.others += 1

    def _take_of_others(self, index: int, name: str, about: SubjectMatch) -> None:
        if about is SubjectMatch.UNCLEAR:
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
            self._take_spoiled(index, UnreadableEntry(None, "an entry without a resource"))
        else:
            self.others += 1

    def _note(self, outcome: OperationOutcome) -> None:
        for issue in outcome.issue:
            self.warnings.append(f"{self._where}: {issue_words(issue.severity, issue.code)}")
            self.incomplete |= issue.severity in ("error", "fatal") or issue.code in _INCOMPLETE_CODES

    def _list(self, index: int, name: str, why: str) -> None:
        self.unread.append(Unread(f"{self._where}.entry[{index}]", f"{INPUTS[name].resource_type}: {why}"))
        self.spoiled.add(name)
