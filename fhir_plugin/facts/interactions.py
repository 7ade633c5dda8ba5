"""Current drugs that matter alongside ketamine or TMS, from orders, statements and dispenses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from fhir_plugin.facts.fact import Evidence, Fact, Presence
from fhir_plugin.facts.medications.products import ProductReader
from fhir_plugin.record.dates import DaySpan, day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import MedicationDispense, MedicationRequest, MedicationStatement
from mappings.schema.codes.interactions import Interactions
from mappings.schema.load import Knowledge
from mappings.schema.medications import Product

_LIST = "medicationStatements"
"""The input that a clinician calls the medication list."""
INPUTS = ("medicationRequests", _LIST, "medicationDispenses")

MedicationEntry: TypeAlias = MedicationRequest | MedicationStatement | MedicationDispense


def read_interactions(
    record: Record, knowledge: Knowledge, as_of: date, products: ProductReader | None = None
) -> Mapping[str, Fact]:
    """``drugs.<group>`` for every group of ``interactions.yaml``, and the drugs that no table has."""
    names = knowledge.interactions.drugs
    by_group: dict[str, dict[str, list[Evidence]]] = {
        name: {"current": [], "past": [], "possible": []} for name in names
    }
    orders = record.all("medicationRequests", MedicationRequest)
    statements = record.all("medicationStatements", MedicationStatement)
    dispenses = record.all("medicationDispenses", MedicationDispense)
    entries: list[MedicationEntry] = [*orders, *statements, *dispenses]
    lookup = _GroupLookup(products or ProductReader(knowledge.medications, record.medications), knowledge)
    unrecognised: list[Evidence] = []
    for entry in entries:
        label, groups = lookup.groups(entry)
        if groups is not None and not groups:
            continue
        start = use_start(entry)
        status = use_status(entry, start, knowledge, as_of)
        if groups is None:
            if status in _IN_USE:
                unrecognised.append(Evidence(reference=entry.reference, label=label, day=start))
            continue
        if status is not None:
            for name, ingredients in groups.items():
                evidence = Evidence(reference=entry.reference, label=label, name=ingredients, day=start)
                by_group[name][status].append(evidence)
    extent = _search_extent(record, knowledge)
    facts = {f"drugs.{name}": _fact(f"drugs.{name}", by_group[name], extent) for name in names}
    return {**facts, _UNRECOGNISED: _unrecognised(unrecognised, extent, knowledge)}


_UNRECOGNISED = "drugs.unrecognised"
_IN_USE = ("current", "possible")


UseStatus = Literal["current", "past", "possible"]


def use_status(entry: MedicationEntry, start: DaySpan | None, knowledge: Knowledge, as_of: date) -> UseStatus | None:
    """Whether the drug is, was or may be in use; ``None`` where it was never given, or is dated after ``as_of``."""
    rules = knowledge.interactions
    if isinstance(entry, MedicationDispense):
        return _dispense_status(entry, start, rules, as_of)
    if entry.status in rules.not_given or (start is not None and start.first > as_of):
        return None
    if isinstance(entry, MedicationRequest) and entry.do_not_perform:
        return None
    if entry.status in rules.active:
        recent = start is not None and start.days_before(as_of)[1] <= rules.current_days.value
        return "current" if recent else "possible"
    return "possible" if entry.status is None or entry.status in rules.open else "past"


def _dispense_status(
    dispense: MedicationDispense, start: DaySpan | None, rules: Interactions, as_of: date
) -> UseStatus | None:
    """A dispense counts as current for the days of its supply, but at least for ``dispensed_days``."""
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


def use_start(entry: MedicationEntry) -> DaySpan | None:
    """The day of the order, of the statement or of the dispense."""
    if isinstance(entry, MedicationRequest):
        return day_span(entry.authored_on)
    if isinstance(entry, MedicationDispense):
        return day_span(entry.when_handed_over or entry.when_prepared)
    period = entry.effective_period
    return day_span(entry.effective_date_time or (period.start if period else None) or entry.date_asserted)


class _GroupLookup:
    """The interaction groups of medication entries, looked up once per product of a record."""

    def __init__(self, products: ProductReader, knowledge: Knowledge) -> None:
        self._products = products
        self._knowledge = knowledge
        self._seen: dict[Product, Mapping[str, str]] = {}

    def groups(self, entry: MedicationEntry) -> tuple[str, Mapping[str, str] | None]:
        """The name of the drug on the record, and by group its ingredients; ``None`` where no table has the drug."""
        drug = self._products.of(entry.medication_codeable_concept, entry.medication_reference, entry.contained)
        if drug.product is None:
            return drug.label, None
        groups = self._seen.get(drug.product)
        if groups is None:
            groups = self._seen[drug.product] = self._groups(drug.product)
        return drug.label, groups

    def _groups(self, product: Product) -> Mapping[str, str]:
        medications, interactions = self._knowledge.medications, self._knowledge.interactions
        ingredients: dict[str, dict[str, None]] = {}
        for part in product.parts:
            for name in interactions.groups_of(part.ingredient, medications):
                ingredients.setdefault(name, {})[part.ingredient] = None
        return {name: "/".join(parts) for name, parts in ingredients.items()}


class _SearchExtent(NamedTuple):
    """The inputs that were searched, what was missing in them, and whether they were read whole and are empty."""

    missing: tuple[str, ...]
    unread: tuple[str, ...]
    looked_in: tuple[str, ...]
    absent: bool


def _search_extent(record: Record, knowledge: Knowledge) -> _SearchExtent:
    counts = {name: len(record.input(name).resources) for name in INPUTS}
    missing = record.gaps(INPUTS)
    absent = not missing and not any(counts.values())
    return _SearchExtent(
        missing=(knowledge.wording.gaps["no_medications"],) if absent else missing,
        unread=(_LIST,) if absent else record.unread_of(INPUTS),
        looked_in=tuple(f"{name} ({count})" for name, count in counts.items()),
        absent=absent,
    )


def _fact(name: str, by_status: Mapping[str, list[Evidence]], extent: _SearchExtent) -> Fact:
    value = Presence(**{status: _ordered(entries) for status, entries in by_status.items()})
    evidence = value.current + value.possible + value.past
    return Fact(name=name, value=value, evidence=evidence, **extent._asdict())


def _unrecognised(entries: list[Evidence], extent: _SearchExtent, knowledge: Knowledge) -> Fact:
    """Never present: whether such a drug matters cannot be told. One entry for each name."""
    by_name = {entry.label or entry.reference: entry for entry in reversed(_ordered(entries))}
    distinct = _ordered(list(by_name.values()))
    unknown = (knowledge.wording.gaps["unrecognised_drugs"].format(count=len(distinct)),) if distinct else ()
    fact = Fact(name=_UNRECOGNISED, value=Presence(), evidence=distinct, **extent._asdict())
    return msgspec.structs.replace(fact, missing=(*unknown, *fact.missing))


def _ordered(entries: list[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(entries, key=lambda entry: (str(entry.day), entry.reference)))
