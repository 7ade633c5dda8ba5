"""Observations by what they are: a vital sign, a laboratory test, a laboratory number. Each is looked at once."""

from __future__ import annotations

from typing import NamedTuple

from fhir_plugin.record.coded import entry_of
from fhir_plugin.record.datatypes import CodeableConcept
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Observation
from mappings.schema.codes.systems import plain_system
from mappings.schema.load import Knowledge

_Concepts = tuple[CodeableConcept | None, ...]
"""The code of an Observation, and those of its components."""


class SortedObservations(NamedTuple):
    """The Observations of each name, in the order of the record."""

    signs: dict[str, list[Observation]]
    """By vital sign."""
    tests: dict[str, list[Observation]]
    """By laboratory test."""
    measured: dict[str, list[Observation]]
    """By laboratory test with a number."""


class _Kind(NamedTuple):
    """What an Observation with certain codes is."""

    sign: str | None
    test: str | None
    measured: str | None


def sort_observations(record: Record, knowledge: Knowledge) -> SortedObservations:
    """Look at the codes of each Observation, and at its words where no code is known; at the same ones only once."""
    found = SortedObservations(
        {name: [] for name in knowledge.vital_signs.vital_signs},
        {name: [] for name in knowledge.laboratory.tests},
        {name: [] for name in knowledge.laboratory.measured},
    )
    kinds: dict[_Concepts, _Kind] = {}
    for observation in record.all("observations", Observation):
        concepts = (observation.code, *[component.code for component in observation.component])
        kind = kinds.get(concepts)
        if kind is None:
            kind = kinds[concepts] = _kind(concepts, knowledge)
        if kind.sign is not None:
            found.signs[kind.sign].append(observation)
        if kind.test is not None:
            found.tests[kind.test].append(observation)
        if kind.measured is not None:
            found.measured[kind.measured].append(observation)
    return found


def _kind(concepts: _Concepts, knowledge: Knowledge) -> _Kind:
    laboratory = knowledge.laboratory
    measured = entry_of(concepts[0], laboratory.measured_by_code, laboratory.systems)
    return _Kind(_sign_of(concepts, knowledge), _test_of(concepts, knowledge), measured)


def _sign_of(concepts: _Concepts, knowledge: Knowledge) -> str | None:
    """The vital sign by the code, else by a component: older panels have their own codes or only text."""
    places = (vital_place(concept, knowledge) for concept in concepts)
    return next((place[0] for place in places if place is not None), None)


def vital_place(concept: CodeableConcept | None, knowledge: Knowledge) -> tuple[str, str] | None:
    """The vital sign and the component, empty for a panel, that a code or else its words name."""
    if concept is None:
        return None
    signs = knowledge.vital_signs
    for coding in concept.coding:
        place = signs.place(plain_system(coding.system), coding.code)
        if place is not None:
            return place
    names = [name for name in (concept.text, *[coding.display for coding in concept.coding]) if name]
    return next((place for name in names if (place := signs.named(name))), None)


def _test_of(concepts: _Concepts, knowledge: Knowledge) -> str | None:
    """The laboratory test by the code or that of a component; by its name only where it is no item of a form."""
    laboratory, code = knowledge.laboratory, concepts[0]
    found = (entry_of(concept, laboratory.by_code, laboratory.systems) for concept in concepts)
    test = next(filter(None, found), None)
    if test or code is None or entry_of(code, knowledge.instruments.links, laboratory.systems):
        return test
    return laboratory.named_test(code.label)
