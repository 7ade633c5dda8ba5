"""Bundles of the resources that are read, decoded fully or with parts left as bytes."""

from __future__ import annotations

from typing import TypeAlias, Union, get_args

import msgspec

from fhir_plugin.record.datatypes import (
    Element,
    Raw,
)
from fhir_plugin.record.resources import (
    AllergyIntolerance,
    Condition,
    Coverage,
    Device,
    Encounter,
    Medication,
    MedicationAdministration,
    MedicationDispense,
    MedicationRequest,
    MedicationStatement,
    Observation,
    OperationOutcome,
    Patient,
    Procedure,
    Questionnaire,
    QuestionnaireResponse,
    Resource,
    ServiceRequest,
)

AnyResource: TypeAlias = Union[  # noqa: UP007 - one name a line
    Patient,
    Condition,
    Observation,
    Medication,
    MedicationRequest,
    MedicationDispense,
    MedicationStatement,
    MedicationAdministration,
    Procedure,
    Device,
    AllergyIntolerance,
    Coverage,
    QuestionnaireResponse,
    Questionnaire,
    ServiceRequest,
    Encounter,
    OperationOutcome,
]


class SearchMode(Element, frozen=True):
    mode: str | None = None


class BundleLink(Element, frozen=True):
    relation: str | None = None
    url: str | None = None


class BundleEntry(Element, frozen=True):
    full_url: str | None = None
    resource: AnyResource | None = None
    search: SearchMode | None = None


class RawEntry(Element, frozen=True):
    """A Bundle entry whose resource is left as bytes, so that one bad resource is isolated."""

    full_url: str | None = None
    resource: Raw = Raw(b"")
    search: Raw = Raw(b"null")


class Bundle(Resource, frozen=True):
    """A Bundle whose resources all decode: the fast path."""

    type: str | None = None
    total: float | None = None
    link: tuple[BundleLink, ...] = ()
    entry: tuple[BundleEntry, ...] = ()


class RawBundle(Element, frozen=True):
    """The same Bundle with its parts left as bytes: the slow path, entry by entry."""

    total: Raw = Raw(b"null")
    link: Raw = Raw(b"[]")
    entry: Raw = Raw(b"[]")


class Tag(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """The ``resourceType`` of any JSON object."""

    resource_type: str | None = None


RESOURCE_TYPES: dict[str, type[Resource]] = {view.__name__: view for view in get_args(AnyResource)}
"""The views by ``resourceType``, without the Bundles."""


def subject_reference(resource: AnyResource) -> str | None:
    """The reference to the subject of the resource, as written; ``None`` if it names nobody."""
    if isinstance(resource, Patient):
        return resource.reference
    if isinstance(resource, (Device, AllergyIntolerance)):
        subject = resource.patient
    elif isinstance(resource, Coverage):
        subject = resource.beneficiary
    else:
        subject = getattr(resource, "subject", None)
    return subject.reference if subject else None
