"""What the record adds to what drafts state: a reason that they refer to, a renewal, the kind of encounter. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta

from msgspec.structs import replace

from fhir_plugin.drafts.draft_orders import Draft
from fhir_plugin.drafts.encounters import EncounterSetting
from fhir_plugin.drafts.ordered import OrderedTreatments, RecognisedDraft
from fhir_plugin.drafts.outside import is_inside, stated_use, states_nothing
from fhir_plugin.facts.fact import Presence
from fhir_plugin.facts.medications.products import ANTIDEPRESSANT, ProductReader
from fhir_plugin.facts.read import Facts
from fhir_plugin.record.datatypes import CodeableConcept
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Condition, MedicationRequest, MedicationStatement
from fhir_plugin.record.subjects import reference_parts
from mappings.schema.load import Knowledge

_CURRENT = ("active", "on-hold")


def settled(
    ordered: OrderedTreatments, record: Record, facts: Facts, knowledge: Knowledge, encounter: EncounterSetting
) -> OrderedTreatments:
    """The drafts, with what only the record shows about whether something is to be said about them."""
    return replace(
        ordered,
        recognised=tuple(_settled(draft, record, facts, knowledge, encounter) for draft in ordered.recognised),
        unselected=tuple(_settled(draft, record, facts, knowledge, encounter) for draft in ordered.unselected),
    )


def _settled(
    found: RecognisedDraft, record: Record, facts: Facts, knowledge: Knowledge, encounter: EncounterSetting
) -> RecognisedDraft:
    if found.outside or not found.names:
        return found
    rules, draft = knowledge.order_checks.outside, found.draft
    if draft.reasons.references and (
        use := stated_use(draft, found.names, knowledge, tuple(_conditions(draft, record)))
    ):
        return replace(found, outside=rules.says.stated.format(draft=draft.reference, title=use))
    if _not_for_depression(found, record, facts, knowledge, encounter):
        return replace(found, outside=rules.says.encounter.format(draft=draft.reference, title=rules.encounters.title))
    if found.names == (ANTIDEPRESSANT,) and _is_renewal(found, record, facts, knowledge):
        return replace(found, renews=rules.says.renewal.format(draft=draft.reference, title=rules.renewals.title))
    return found


def _conditions(draft: Draft, record: Record) -> Iterator[CodeableConcept]:
    """The conditions of the record that the order names as its reasons."""
    for reference in draft.reasons.references:
        identifier = "/".join(reference_parts(reference)[1:])
        codes = (entry.code for entry in record.all("conditions", Condition) if entry.reference == identifier)
        if code := next(codes, None):
            yield code


def _not_for_depression(
    found: RecognisedDraft, record: Record, facts: Facts, knowledge: Knowledge, encounter: EncounterSetting
) -> bool:
    """Whether nothing is stated, nothing of the field is on the record, and the encounter is of another kind."""
    rules = knowledge.order_checks.outside
    if not set(found.names) <= set(rules.encounters.of) or not states_nothing(found.draft):
        return False
    in_kind = not set(rules.encounters.classes).isdisjoint(encounter.classes) or any(
        re.search(pattern, words.lower()) for pattern in rules.encounters.words for words in encounter.words
    )
    if not in_kind or is_inside(found.draft, knowledge) or not record.input("conditions").whole:
        return False
    return all(_is_absent(facts, topic) for topic in rules.inside.topics) and not facts.trials.lifetime_trials


def _is_absent(facts: Facts, topic: str) -> bool:
    fact = facts.named.get(f"conditions.{topic}")
    if fact is None or fact.missing or not isinstance(fact.value, Presence):
        return False
    return not (fact.value.current or fact.value.past or fact.value.possible)


def _is_renewal(found: RecognisedDraft, record: Record, facts: Facts, knowledge: Knowledge) -> bool:
    """Whether every antidepressant of the order is current on the record."""
    products = ProductReader(knowledge.medications, record.medications)
    current = set(_active_ingredients(found.draft.reference, record, products))
    days = timedelta(days=knowledge.order_checks.outside.renewals.days.value)
    stopped = set(_stopped_ingredients(record, products))
    for trial in facts.trials.lifetime_trials:
        is_going_on = trial.start is not None and (trial.stop is None or trial.stop >= facts.as_of - days)
        if is_going_on and trial.ingredient not in stopped:
            current.add(trial.ingredient)
    return found.ingredients <= current


def _active_ingredients(own: str, record: Record, products: ProductReader) -> Iterator[str]:
    """The drugs of active orders and statements; ``own`` is the reference of the draft itself."""
    for request in record.all("medicationRequests", MedicationRequest):
        if request.status in _CURRENT and request.is_order and request.reference != own:
            yield from _ingredients(request, products)
    for statement in record.all("medicationStatements", MedicationStatement):
        if statement.status in _CURRENT:
            yield from _ingredients(statement, products)


def _stopped_ingredients(record: Record, products: ProductReader) -> Iterator[str]:
    for request in record.all("medicationRequests", MedicationRequest):
        if request.status == "stopped":
            yield from _ingredients(request, products)


def _ingredients(resource: MedicationRequest | MedicationStatement, products: ProductReader) -> Iterable[str]:
    named = products.of(resource.medication_codeable_concept, resource.medication_reference, resource.contained)
    product = named.product
    return (part.ingredient for part in product.parts) if product else ()
