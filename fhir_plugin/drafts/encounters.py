"""The encounter of a call: of which class it is, and where it takes place. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw

from fhir_plugin.drafts.members import NOTHING, concepts, elements, listed, read
from fhir_plugin.record.datatypes import CodeableConcept, Coding, Reference
from fhir_plugin.record.lenient import decode_all
from fhir_plugin.record.opening import too_many
from fhir_plugin.record.subjects import reference_parts


class EncounterSetting(msgspec.Struct, frozen=True):
    """What the encounter of a call says about where it takes place."""

    classes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


NO_ENCOUNTER = EncounterSetting()


class _Location(msgspec.Struct, frozen=True):
    location: Raw = NOTHING


class _Entry(msgspec.Struct, frozen=True):
    resource: Raw = NOTHING


class _Encounter(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: str = ""
    id: Raw = NOTHING
    class_: Raw = msgspec.field(default=NOTHING, name="class")
    type: Raw = NOTHING
    service_type: Raw = NOTHING
    location: Raw = NOTHING
    subject: Raw = NOTHING
    entry: Raw = NOTHING


def encounter_of(prefetch: Mapping[str, Raw], encounter_id: str | None, patient_id: str) -> EncounterSetting:
    """The encounter of the context among what was prefetched, if exactly one can be meant."""
    found = [
        encounter
        for raw in prefetch.values()
        for encounter in _encounters(raw)
        if _is_meant(encounter, encounter_id, patient_id)
    ]
    return _setting(found[0]) if len(found) == 1 else NO_ENCOUNTER


def _encounters(raw: Raw) -> Iterator[_Encounter]:
    resource = None if too_many(raw) else read(raw, _Encounter)
    if resource is None:
        return
    if resource.resource_type == "Encounter":
        yield resource
    for entry in elements(resource.entry, _Entry) if resource.resource_type == "Bundle" else ():
        inner = read(entry.resource, _Encounter)
        if inner is not None and inner.resource_type == "Encounter":
            yield inner


def _is_meant(encounter: _Encounter, encounter_id: str | None, patient_id: str) -> bool:
    subject = read(encounter.subject, Reference)
    if subject and subject.reference and reference_parts(subject.reference)[2] != patient_id.removeprefix("Patient/"):
        return False
    return not encounter_id or read(encounter.id, str) == encounter_id.removeprefix("Encounter/")


def _setting(encounter: _Encounter) -> EncounterSetting:
    """The class of R4 is a coding, that of R5 a list of concepts."""
    codings = decode_all(listed(encounter.class_), Coding)
    classes = [CodeableConcept(coding=(coding,)) for coding in codings if coding.code]
    classes += concepts(encounter.class_)
    named = (*classes, *concepts(encounter.type), *concepts(encounter.service_type))
    words = [item.text for item in named] + [coding.display for item in named for coding in item.coding]
    places = (read(entry.location, Reference) for entry in elements(encounter.location, _Location))
    words += [place.display for place in places if place]
    codes = (coding.code for item in classes for coding in item.coding)
    return EncounterSetting(tuple(code for code in codes if code), tuple(word for word in words if word))
