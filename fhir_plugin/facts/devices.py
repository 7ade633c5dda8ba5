"""Devices as entries of a chart. A Device says what it is, seldom where in the body it sits."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_plugin.facts.entries import CodedEntry, Force
from fhir_plugin.record import Record
from fhir_plugin.resources import CodeableConcept, Device

_WITHDRAWN = "entered-in-error"
_FORCE = {"active": (Force.NOW, ""), None: (Force.NOW, ""), "inactive": (Force.ENDED, "")}


def device_entries(record: Record) -> Iterator[CodedEntry]:
    """Every Device that was not withdrawn, by its type and its names."""
    for device in record.all("devices", Device):
        if device.status == _WITHDRAWN:
            continue
        force, note = _FORCE.get(device.status, (Force.DOUBTFUL, "no_status"))
        names = tuple(CodeableConcept(text=name.name) for name in device.device_name if name.name)
        concepts = (device.type, *names) if device.type else names
        if concepts:
            yield CodedEntry("devices", device.reference, concepts, force, note, None)
