"""What the record adds to what drafts state: a reason that they refer to, a renewal, the kind of encounter. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import cached_property, partial
from operator import is_

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
    ordered: OrderedTreatments,
    record: Record,
    facts: Facts,
    knowledge: Knowledge,
    encounter: Callable[[], EncounterSetting],
) -> OrderedTreatments:
    """The drafts, with what only the record shows about whether something is to be said about them.

    ``encounter`` finds the encounter of the call; it is asked for only where nothing else tells.
    """
    chart = _Chart(record, facts, knowledge, encounter)
    before = (*ordered.recognised, *ordered.unselected)
    after = tuple(_settled(draft, chart) for draft in before)
    if all(map(is_, before, after)):
        return ordered
    count = len(ordered.recognised)
    return replace(ordered, recognised=after[:count], unselected=after[count:])


class _Chart:
    """The record and its facts; what many drafts ask of them is found out once."""

    def __init__(
        self, record: Record, facts: Facts, knowledge: Knowledge, encounter: Callable[[], EncounterSetting]
    ) -> None:
        self.record, self.facts, self.knowledge = record, facts, knowledge
        self._encounter = encounter

    @cached_property
    def conditions(self) -> Mapping[str, CodeableConcept]:
        """The codes of the conditions, by reference; of one reference, the first."""
        codes: dict[str, CodeableConcept | None] = {}
        for entry in self.record.all("conditions", Condition):
            codes.setdefault(entry.reference, entry.code)
        return {reference: code for reference, code in codes.items() if code}

    @cached_property
    def active(self) -> Mapping[str, Collection[str]]:
        """The drugs of active orders and statements, each with the references of those that say so."""
        found: dict[str, set[str]] = {}
        for resource, products in _active(self.record, self._products):
            for ingredient in products:
                found.setdefault(ingredient, set()).add(resource)
        return found

    @cached_property
    def going_on(self) -> Collection[str]:
        """The drugs of trials that are going on and were not stopped."""
        stopped = set(_stopped_ingredients(self.record, self._products))
        days = timedelta(days=self.knowledge.order_checks.outside.renewals.days.value)
        return {
            trial.ingredient
            for trial in self.facts.trials.lifetime_trials
            if trial.start is not None and (trial.stop is None or trial.stop >= self.facts.as_of - days)
        } - stopped

    @cached_property
    def may_be_without_depression(self) -> bool:
        """Whether nothing of the field is on a record that was read, and the encounter is of another kind."""
        rules = self.knowledge.order_checks.outside
        if not self.record.input("conditions").whole or self.facts.trials.lifetime_trials:
            return False
        if not all(_is_absent(self.facts, topic) for topic in rules.inside.topics):
            return False
        encounter = self._encounter()
        return rules.encounters.holds(encounter.classes, encounter.words)

    @cached_property
    def _products(self) -> ProductReader:
        return ProductReader(self.knowledge.medications, self.record.medications)


def _settled(found: RecognisedDraft, chart: _Chart) -> RecognisedDraft:
    if found.outside or not found.names:
        return found
    knowledge = chart.knowledge
    rules, draft = knowledge.order_checks.outside, found.draft
    if draft.reasons.references and (
        use := stated_use(draft, found.names, knowledge, tuple(_conditions(draft, chart)))
    ):
        return replace(found, outside=rules.says.stated.format(draft=draft.reference, title=use))
    if _not_for_depression(found, chart):
        return replace(found, outside=rules.says.encounter.format(draft=draft.reference, title=rules.encounters.title))
    if found.names == (ANTIDEPRESSANT,) and _is_renewal(found, chart):
        return replace(found, renews=rules.says.renewal.format(draft=draft.reference, title=rules.renewals.title))
    return found


def _conditions(draft: Draft, chart: _Chart) -> Iterator[CodeableConcept]:
    """The conditions of the record that the order names as its reasons."""
    for reference in draft.reasons.references:
        if code := chart.conditions.get("/".join(reference_parts(reference)[1:])):
            yield code


def _not_for_depression(found: RecognisedDraft, chart: _Chart) -> bool:
    """Whether nothing is stated, nothing of the field is on the record, and the encounter is of another kind."""
    of = chart.knowledge.order_checks.outside.encounters.of
    if not set(found.names) <= set(of) or not states_nothing(found.draft):
        return False
    return chart.may_be_without_depression and not is_inside(found.draft, chart.knowledge)


def _is_absent(facts: Facts, topic: str) -> bool:
    fact = facts.named.get(f"conditions.{topic}")
    if fact is None or fact.missing or not isinstance(fact.value, Presence):
        return False
    return not (fact.value.current or fact.value.past or fact.value.possible)


def _is_renewal(found: RecognisedDraft, chart: _Chart) -> bool:
    """Whether every antidepressant of the order is current on the record."""
    return all(map(partial(_is_current, own=found.draft.reference, chart=chart), found.ingredients))


def _is_current(ingredient: str, own: str, chart: _Chart) -> bool:
    """Whether a drug is taken by a trial, or by an order or statement; ``own`` is the draft, which does not count."""
    return ingredient in chart.going_on or bool(set(chart.active.get(ingredient, ())) - {own})


def _active(record: Record, products: ProductReader) -> Iterator[tuple[str, Iterable[str]]]:
    """The drugs of active orders and statements, with the reference of each."""
    for request in record.all("medicationRequests", MedicationRequest):
        if request.status in _CURRENT and request.is_order:
            yield request.reference, _ingredients(request, products)
    for statement in record.all("medicationStatements", MedicationStatement):
        if statement.status in _CURRENT:
            yield statement.reference, _ingredients(statement, products)


def _stopped_ingredients(record: Record, products: ProductReader) -> Iterator[str]:
    for request in record.all("medicationRequests", MedicationRequest):
        if request.status == "stopped":
            yield from _ingredients(request, products)


def _ingredients(resource: MedicationRequest | MedicationStatement, products: ProductReader) -> Iterable[str]:
    named = products.of(resource.medication_codeable_concept, resource.medication_reference, resource.contained)
    product = named.product
    return (part.ingredient for part in product.parts) if product else ()
