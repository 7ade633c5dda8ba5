"""Drugs taken now that matter beside ketamine or TMS, from orders, statements and dispenses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal, TypeAlias

from fhir_plugin.facts.fact import Evidence, Fact, Presence
from fhir_plugin.facts.medications.products import ProductReader
from fhir_plugin.record.dates import DaySpan, day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import MedicationDispense, MedicationRequest, MedicationStatement
from mappings.schema.codes.interactions import Interactions
from mappings.schema.load import Knowledge
from mappings.schema.medications import Product

INPUTS = ("medicationRequests", "medicationStatements", "medicationDispenses")

MedicationEntry: TypeAlias = MedicationRequest | MedicationStatement | MedicationDispense


def read_interactions(
    record: Record, knowledge: Knowledge, as_of: date, products: ProductReader | None = None
) -> Mapping[str, Fact]:
    """``drugs.<group>`` for every group of ``interactions.yaml``."""
    names = knowledge.interactions.drugs
    found: dict[str, dict[str, list[Evidence]]] = {name: {"current": [], "past": [], "possible": []} for name in names}
    orders = record.all("medicationRequests", MedicationRequest)
    statements = record.all("medicationStatements", MedicationStatement)
    dispenses = record.all("medicationDispenses", MedicationDispense)
    all_taken: list[MedicationEntry] = [*orders, *statements, *dispenses]
    named = _GroupLookup(products or ProductReader(knowledge.medications, record.medications), knowledge)
    for taken in all_taken:
        label, groups = named.groups(taken)
        if not groups:
            continue
        start = use_start(taken)
        when = use_status(taken, start, knowledge, as_of)
        if when is not None:
            evidence = Evidence(reference=taken.reference, label=label, day=start)
            for name in groups:
                found[name][when].append(evidence)
    missing, looked_in = _search_extent(record, knowledge)
    return {f"drugs.{name}": _fact(f"drugs.{name}", found[name], missing, looked_in) for name in names}


UseStatus = Literal["current", "past", "possible"]


def use_status(taken: MedicationEntry, start: DaySpan | None, knowledge: Knowledge, as_of: date) -> UseStatus | None:
    """Whether it is taken now, was, or may be; ``None`` for what was never given, or not yet ordered."""
    rules = knowledge.interactions
    if isinstance(taken, MedicationDispense):
        return _dispense_status(taken, start, rules, as_of)
    if taken.status in rules.not_given or (start is not None and start.first > as_of):
        return None
    if isinstance(taken, MedicationRequest) and taken.do_not_perform:
        return None
    if taken.status in rules.active:
        recent = start is not None and start.days_before(as_of)[1] <= rules.current_days.value
        return "current" if recent else "possible"
    return "possible" if taken.status is None or taken.status in rules.open else "past"


def _dispense_status(
    dispense: MedicationDispense, start: DaySpan | None, rules: Interactions, as_of: date
) -> UseStatus | None:
    """A dispense lasts for its supply, and for some time where none is stated."""
    if dispense.status in rules.not_dispensed or (start is not None and start.first > as_of):
        return None
    if dispense.status not in rules.dispensed or start is None:
        return "possible"
    supply = dispense.days_supply.value if dispense.days_supply else None
    lasts = max(rules.dispensed_days.value, supply or 0)
    youngest, oldest = start.days_before(as_of)
    if youngest > lasts:
        return "past"
    return "current" if oldest <= lasts else "possible"


def use_start(taken: MedicationEntry) -> DaySpan | None:
    """The day of the order, of the statement or of the dispense."""
    if isinstance(taken, MedicationRequest):
        return day_span(taken.authored_on)
    if isinstance(taken, MedicationDispense):
        return day_span(taken.when_handed_over or taken.when_prepared)
    period = taken.effective_period
    return day_span(taken.effective_date_time or (period.start if period else None) or taken.date_asserted)


class _GroupLookup:
    """The groups of what is taken, looked up once for each drug of a record."""

    def __init__(self, products: ProductReader, knowledge: Knowledge) -> None:
        self._products = products
        self._knowledge = knowledge
        self._seen: dict[Product, tuple[str, ...]] = {}

    def groups(self, taken: MedicationEntry) -> tuple[str, tuple[str, ...]]:
        """What the record calls the drug, and the names of its groups."""
        found = self._products.of(taken.medication_codeable_concept, taken.medication_reference, taken.contained)
        if found.product is None:
            return found.label, ()
        groups = self._seen.get(found.product)
        if groups is None:
            groups = self._seen[found.product] = self._groups(found.product)
        return found.label, groups

    def _groups(self, product: Product) -> tuple[str, ...]:
        medications, interactions = self._knowledge.medications, self._knowledge.interactions
        names = (name for part in product.parts for name in interactions.groups_of(part.ingredient, medications))
        return tuple(dict.fromkeys(names))


def _search_extent(record: Record, knowledge: Knowledge) -> tuple[tuple[str, ...], tuple[str, ...]]:
    counts = {name: len(record.input(name).resources) for name in INPUTS}
    missing = record.gaps(INPUTS)
    if not missing and not any(counts.values()):
        missing = (knowledge.wording.gaps["no_medications"],)
    return missing, tuple(f"{name} ({count})" for name, count in counts.items())


def _fact(name: str, found: Mapping[str, list[Evidence]], missing: tuple[str, ...], looked_in: tuple[str, ...]) -> Fact:
    value = Presence(**{when: _ordered(entries) for when, entries in found.items()})
    evidence = value.current + value.possible + value.past
    return Fact(name=name, value=value, evidence=evidence, missing=missing, looked_in=looked_in)


def _ordered(entries: list[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(entries, key=lambda entry: (str(entry.day), entry.reference)))
