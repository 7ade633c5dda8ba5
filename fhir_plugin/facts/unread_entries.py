"""Entries without words that can be read and without a known code: they may mean anything, so absence is not proven."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from fhir_plugin.facts.entries import (
    allergy_concepts,
    condition_concepts,
    device_concepts,
    is_withdrawn,
    is_withdrawn_device,
    was_done,
)
from fhir_plugin.facts.medications.products import identify
from fhir_plugin.record.coded import has_readable_words
from fhir_plugin.record.datatypes import CodeableConcept
from fhir_plugin.record.dates import day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import AllergyIntolerance, Condition, Device, Procedure
from mappings.schema.base.systems import system_key
from mappings.schema.load import Knowledge


class UnreadEntries(NamedTuple):
    """Why lists that were read completely still do not prove absence."""

    diagnoses: tuple[str, ...]
    """Of a problem list that is not empty."""
    by_input: Mapping[str, tuple[str, ...]]


def unread_entries(record: Record, knowledge: Knowledge) -> UnreadEntries:
    """Look for entries that may mean anything among diagnoses, procedures and devices."""
    listed = [entry for entry in record.all("conditions", Condition) if not is_withdrawn(entry)]
    procedures = (procedure for procedure in record.all("procedures", Procedure) if was_done(procedure))
    devices = (device for device in record.all("devices", Device) if not is_withdrawn_device(device))
    diagnoses = _gap("unread_diagnoses", map(condition_concepts, listed), knowledge)
    by_input = {
        "conditions": diagnoses if listed else (knowledge.wording.gaps["no_conditions"],),
        "procedures": _gap("unread_procedures", map(_named_by, procedures), knowledge),
        "devices": _gap("unread_devices", map(device_concepts, devices), knowledge),
    }
    return UnreadEntries(diagnoses, by_input)


def unread_allergies(entries: Iterable[AllergyIntolerance], knowledge: Knowledge) -> tuple[str, ...]:
    """Why a list of allergies that was read completely still does not prove absence."""
    unread = sum(
        _is_unreadable(concepts, knowledge) and all(_may_be_any_drug(each, knowledge) for each in concepts)
        for concepts in map(allergy_concepts, entries)
    )
    return (knowledge.wording.gaps["unread_allergies"].format(count=unread),) if unread else ()


_WHOLE_SYSTEMS = frozenset({"rxnorm", "atc"})
"""Systems in which every code of an ingredient that a protocol uses is listed."""


def _may_be_any_drug(concept: CodeableConcept, knowledge: Knowledge) -> bool:
    systems = (knowledge.treatments.systems.get(system_key(coding.system)) for coding in concept.coding if coding.code)
    return _WHOLE_SYSTEMS.isdisjoint(systems) and identify(concept, knowledge.medications).unmapped


def unread_diagnoses_since(record: Record, knowledge: Knowledge, first: date) -> int:
    """How many diagnoses that began on or after a day, or are undated, have neither text nor a known code."""
    return sum(
        _is_unreadable(condition_concepts(condition), knowledge)
        for condition in record.all("conditions", Condition)
        if not is_withdrawn(condition) and _may_have_begun(condition, first)
    )


def _named_by(procedure: Procedure) -> tuple[CodeableConcept, ...]:
    """What names the procedure, without its body site: of a head alone nothing is known."""
    return (procedure.code,) if procedure.code else ()


def _may_have_begun(condition: Condition, first: date) -> bool:
    onset = condition.onset_period.start if condition.onset_period else None
    day = day_span(condition.recorded_date) or day_span(condition.onset_date_time or onset)
    return day is None or day.last >= first


def _gap(words: str, entries: Iterable[tuple[CodeableConcept, ...]], knowledge: Knowledge) -> tuple[str, ...]:
    unread = sum(count for concepts, count in Counter(entries).items() if _is_unreadable(concepts, knowledge))
    return (knowledge.wording.gaps[words].format(count=unread),) if unread else ()


def _is_unreadable(concepts: tuple[CodeableConcept, ...], knowledge: Knowledge) -> bool:
    """Whether an entry has neither words that can be read nor a known code, of a topic or as concerning none."""
    if has_readable_words(concepts):
        return False
    codings = [coding for concept in concepts for coding in concept.coding if coding.code]
    if any(knowledge.value_sets.recognises(coding.system, coding.code) for coding in codings):
        return False
    return knowledge.treatments.of_code((coding.system, coding.code) for coding in codings) is None
