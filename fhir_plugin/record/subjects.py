"""The subject of a resource: the patient in context, somebody else, or unclear."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from fhir_plugin.errors import BadInput
from fhir_plugin.record.bundles import AnyResource, subject_reference
from fhir_plugin.record.resources import Observation, Patient

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_UUID = "urn:uuid:"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class SubjectMatch(StrEnum):
    """How the subject of a resource relates to the patient in context."""

    THIS_PATIENT = "this patient"
    SOMEBODY_ELSE = "somebody else"
    UNCLEAR = "unclear"
    """No subject is named, or its reference cannot be resolved here, or its type is right but for the capitals."""


def is_fhir_id(text: str) -> bool:
    """Whether the text is a FHIR id and safe as a URL path segment."""
    return _ID.fullmatch(text) is not None and text not in {".", ".."}


def patient_id_from(text: str) -> str:
    """The bare FHIR id in ``123`` or ``Patient/123``; raises BadInput for anything that must not enter a URL."""
    bare = text.removeprefix("Patient/")
    if not is_fhir_id(bare):
        raise BadInput("the patient id is not a FHIR id: use 1 to 64 letters, digits, hyphens and dots")
    return bare


class SubjectChecker:
    """Checks whether a resource is about one patient, for all the ways in which servers write a reference.

    ``123``, ``Patient/123`` and ``Patient/123/_history/4`` are compared by id. An absolute URL must also be on the
    configured server, or on the one in the entry's own ``fullUrl`` (servers behind a proxy write their internal host
    into both). A ``urn:uuid`` is looked up among the Patients of the same Bundle.
    """

    __slots__ = ("_aliases", "_base", "_exact", "patient_id")

    def __init__(self, patient_id: str, base_url: str | None = None) -> None:
        self.patient_id = patient_id
        self._exact = f"Patient/{patient_id}"
        self._base = _root(base_url) if base_url else None
        self._aliases: dict[str, str | None] = {f"{_UUID}{patient_id}": patient_id}

    def learn(self, entries: Iterable[tuple[str | None, AnyResource | None]]) -> None:
        """Record which Patient a ``urn:`` of a Bundle denotes; an ambiguous one denotes none."""
        for full_url, resource in entries:
            if full_url and full_url.startswith("urn:") and isinstance(resource, Patient):
                patient_id = patient_id_of(resource, full_url)
                if self._aliases.setdefault(full_url, patient_id) != patient_id:
                    self._aliases[full_url] = None

    def match(self, resource: AnyResource, full_url: str | None = None) -> SubjectMatch:
        """Match the subject of the resource; ``full_url`` is that of its own Bundle entry."""
        if isinstance(resource, Patient):
            return self._by_id(patient_id_of(resource, full_url))
        if isinstance(resource, Observation) and resource.focus and not self._in_focus(resource, full_url):
            return SubjectMatch.SOMEBODY_ELSE
        return self.match_reference(subject_reference(resource), full_url)

    def match_reference(self, reference: str | None, full_url: str | None = None) -> SubjectMatch:
        """Match a reference to a subject."""
        return SubjectMatch.THIS_PATIENT if reference == self._exact else self._by_reference(reference, full_url)

    def _in_focus(self, observation: Observation, full_url: str | None) -> bool:
        """Whether an Observation with a focus (a parent, an unborn child, a device) is about the patient anyway."""
        return any(
            self._by_reference(focus.reference, full_url) is SubjectMatch.THIS_PATIENT for focus in observation.focus
        )

    def _by_id(self, patient_id: str | None) -> SubjectMatch:
        if not patient_id:
            return SubjectMatch.UNCLEAR
        return SubjectMatch.THIS_PATIENT if patient_id == self.patient_id else SubjectMatch.SOMEBODY_ELSE

    def _by_reference(self, reference: str | None, full_url: str | None) -> SubjectMatch:
        if not reference or reference.startswith("#") or "?" in reference:
            return SubjectMatch.UNCLEAR
        if reference.startswith("urn:"):
            return self._by_id(self._aliases.get(reference))
        root, kind, patient_id = reference_parts(reference)
        if kind not in ("", "Patient"):
            return SubjectMatch.UNCLEAR if kind.lower() == "patient" else SubjectMatch.SOMEBODY_ELSE
        match = self._by_id(patient_id)
        if match is SubjectMatch.THIS_PATIENT and root and not self._on_this_server(root, full_url):
            return SubjectMatch.UNCLEAR
        return match

    def _on_this_server(self, root: str, full_url: str | None) -> bool:
        own = reference_parts(full_url)[0] if full_url and "://" in full_url else None
        roots = [_root(base) for base in (self._base, own) if base]
        return not roots or _root(root) in roots


def patient_id_of(patient: Patient, full_url: str | None) -> str | None:
    """The id of a Patient; in a transaction that has not run yet, the uuid in its ``fullUrl``."""
    if patient.id:
        return patient.id
    return full_url.removeprefix(_UUID) if full_url and full_url.startswith(_UUID) else None


def reference_parts(reference: str) -> tuple[str, str, str]:
    """``https://host/fhir/Patient/1/_history/2`` as root, type and id; missing parts are empty."""
    path = unversioned(reference).rstrip("/")
    rest, _, identifier = path.rpartition("/")
    root, _, kind = rest.rpartition("/")
    return root, kind, identifier


def unversioned(reference: str) -> str:
    """The reference without its version, if any."""
    return reference.partition("/_history/")[0]


def _root(url: str) -> str:
    root = url.rstrip("/").lower()
    scheme, _, rest = root.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS.get(scheme, ':'))}{slash}{path}"
