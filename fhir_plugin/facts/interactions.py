"""Current drugs that matter alongside ketamine or TMS, from orders, statements, dispenses and administrations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal, NamedTuple, TypeAlias

from fhir_plugin.facts.fact import ABSENT, Evidence, Fact, Presence
from fhir_plugin.facts.medications.dosage import days_of
from fhir_plugin.facts.medications.products import IdentifiedProduct, ProductReader
from fhir_plugin.record.dates import DaySpan, day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import (
    MedicationAdministration,
    MedicationDispense,
    MedicationRequest,
    MedicationStatement,
)
from mappings.schema.codes.interactions import Interactions
from mappings.schema.load import Knowledge
from mappings.schema.medications import Product

_LIST = "medicationStatements"
"""The input that a clinician calls the medication list."""
UNRECOGNISED = "unrecognised"
"""What a headline asks to check where a drug is not recognised; also the fact of these drugs, never present."""
INPUTS = ("medicationRequests", _LIST, "medicationDispenses")

MedicationEntry: TypeAlias = MedicationRequest | MedicationStatement | MedicationDispense | MedicationAdministration


def read_interactions(
    record: Record, knowledge: Knowledge, as_of: date, products: ProductReader | None = None
) -> Mapping[str, Fact]:
    """``drugs.<group>`` for every group of ``interactions.yaml``, and the drugs that are not recognised.

    A drug that may be in use and is not recognised may belong to any group: the facts are then incomplete. One that was
    stopped may still belong to a group whose effect outlasts it.
    """
    names = knowledge.interactions.drugs
    by_group: dict[str, dict[str, list[Evidence]]] = {}
    unrecognised: dict[str, Evidence] = {}
    ended: dict[str, dict[str, Evidence]] = {name: {} for name, drug in names.items() if drug.washout}
    """By group with a washout, the unrecognised drugs that were stopped so recently that they may still act."""
    lookup = _GroupLookup(products or ProductReader(knowledge.medications, record.medications), knowledge)
    for entry in _entries(record):
        drug = lookup.drug(entry)
        groups = lookup.groups(drug)
        if not groups and not drug.in_doubt:
            continue
        start = use_start(entry)
        status = use_status(entry, start, knowledge, as_of)
        if status is None:
            continue
        if drug.in_doubt:
            note = knowledge.wording.entries["unrecognised"]
            evidence = Evidence(reference=entry.reference, label=drug.label, day=start, note=note)
            _add_doubted(evidence, status, entry, unrecognised, ended, knowledge, as_of)
        for name, ingredients in groups.items():
            evidence = Evidence(reference=entry.reference, label=drug.label, name=ingredients, day=start)
            within = _status_in(name, status, entry, drug, ingredients, knowledge, as_of)
            by_group.setdefault(name, {}).setdefault(within, []).append(evidence)
    extent = _search_extent(record, knowledge, unrecognised)
    extents = {
        name: _search_extent(record, knowledge, {**unrecognised, **more}) for name, more in ended.items() if more
    }
    return {
        f"drugs.{name}": _fact(f"drugs.{name}", by_group.get(name), extents.get(name, extent))
        for name in (*names, UNRECOGNISED)
    }


def _add_doubted(
    evidence: Evidence,
    status: UseStatus,
    entry: MedicationEntry,
    in_use: dict[str, Evidence],
    ended: Mapping[str, dict[str, Evidence]],
    knowledge: Knowledge,
    as_of: date,
) -> None:
    """Add an unrecognised drug to those in use, or, if it was stopped, to each group in whose washout it may be."""
    name = evidence.label or evidence.reference
    if isinstance(entry, MedicationAdministration):
        status = _status_since_given(knowledge.interactions.longest_after_administration, entry, knowledge, as_of)
    if status != "past":
        in_use.setdefault(name, evidence)
        return
    for group, collected in ended.items():
        longest = max(rule.days.value for rule in knowledge.interactions.drugs[group].washout)
        if _status_in_washout(longest, entry, knowledge, as_of) != "past":
            collected.setdefault(name, evidence)


def _entries(record: Record) -> list[MedicationEntry]:
    return [
        *record.all("medicationRequests", MedicationRequest),
        *record.all("medicationStatements", MedicationStatement),
        *record.all("medicationDispenses", MedicationDispense),
        *record.all("medicationAdministrations", MedicationAdministration),
    ]


ADMINISTRATION_VOID = frozenset({"not-done", "entered-in-error"})

UseStatus = Literal["current", "past", "possible"]


def use_status(entry: MedicationEntry, start: DaySpan | None, knowledge: Knowledge, as_of: date) -> UseStatus | None:
    """Whether the drug is, was or may be in use; ``None`` where it was never given, or is dated after ``as_of``."""
    rules = knowledge.interactions
    if isinstance(entry, MedicationDispense):
        return _dispense_status(entry, start, rules, as_of)
    if isinstance(entry, MedicationAdministration):
        return None if entry.status in ADMINISTRATION_VOID or _is_after(start, as_of) else "past"
    if entry.status in rules.not_given or _is_after(start, as_of):
        return None
    if isinstance(entry, MedicationRequest) and entry.do_not_perform:
        return None
    if entry.status in rules.active:
        recent = start is not None and start.days_before(as_of)[1] <= rules.current_days.value
        return "current" if recent else "possible"
    is_over = entry.status in rules.over and not _may_be_left(entry, start, knowledge, as_of)
    return "past" if is_over else "possible"


def _is_after(start: DaySpan | None, as_of: date) -> bool:
    return start is not None and start.first > as_of


def _may_be_left(
    entry: MedicationRequest | MedicationStatement, start: DaySpan | None, knowledge: Knowledge, as_of: date
) -> bool:
    """Whether the recorded supply of an order without anything left to dispense lasts beyond the day."""
    if not isinstance(entry, MedicationRequest) or entry.status not in knowledge.interactions.supplied or start is None:
        return False
    request = entry.dispense_request
    lasts = days_of(request.expected_supply_duration, knowledge.medications) if request else None
    end = _order_end(entry, knowledge)
    return lasts is not None and start.days_before(as_of)[0] < lasts and (end is None or end.last >= as_of)


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
    return _status_since(start, lasts, as_of)


def _status_since(day: DaySpan, lasts: float, as_of: date) -> UseStatus:
    """Whether what acts for so many days after a day still does."""
    youngest, oldest = day.days_before(as_of)
    if youngest > lasts:
        return "past"
    return "current" if oldest <= lasts else "possible"


def _status_in(
    group: str,
    status: UseStatus,
    entry: MedicationEntry,
    drug: IdentifiedProduct,
    ingredients: str,
    knowledge: Knowledge,
    as_of: date,
) -> UseStatus:
    """The status within one group: contradictory codes leave it possible, and a washout outlasts the use."""
    if isinstance(entry, MedicationAdministration):
        lasts = knowledge.interactions.days_after_administration(ingredients)
        status = _status_since_given(lasts, entry, knowledge, as_of)
    if status == "past":
        status = _status_in_washout(knowledge.interactions.washout_days(group, ingredients), entry, knowledge, as_of)
    return "possible" if drug.contradictory and status == "current" else status


def _status_since_given(lasts: float, entry: MedicationAdministration, knowledge: Knowledge, as_of: date) -> UseStatus:
    """Whether what acts for so many days still does; given on a day that is not known, it may."""
    end = use_end(entry, knowledge)
    return "possible" if end is None else _status_since(end, lasts, as_of)


def _status_in_washout(days: float, entry: MedicationEntry, knowledge: Knowledge, as_of: date) -> UseStatus:
    """Whether the effect of a drug that was stopped lasts; where its end is not recorded, it may."""
    if not days:
        return "past"
    end, start = use_end(entry, knowledge), use_start(entry)
    if end is not None and end.first <= as_of:
        return _status_since(end, days, as_of)
    longest = knowledge.interactions.current_days.value + days
    return "past" if start is not None and start.days_before(as_of)[0] > longest else "possible"


def use_end(entry: MedicationEntry, knowledge: Knowledge) -> DaySpan | None:
    """The day on which the use of a drug, or the supply of a dispense, ended, if it is recorded."""
    if isinstance(entry, MedicationStatement):
        return day_span(entry.effective_period.end if entry.effective_period else None)
    if isinstance(entry, MedicationAdministration):
        return day_span(entry.effective_period.end if entry.effective_period else None) or use_start(entry)
    return _supply_end(entry) if isinstance(entry, MedicationDispense) else _order_end(entry, knowledge)


def _supply_end(dispense: MedicationDispense) -> DaySpan | None:
    supply = dispense.days_supply.value if dispense.days_supply else None
    handed = use_start(dispense)
    if handed is None or supply is None or not 0 < supply <= _LONGEST_SUPPLY:
        return None
    lasts = timedelta(days=int(supply))
    return DaySpan(handed.first + lasts, handed.last + lasts)


def _order_end(order: MedicationRequest, knowledge: Knowledge) -> DaySpan | None:
    endings = knowledge.medications.statuses.stop_extensions
    stops = [extension.value_date_time for extension in order.extension if (extension.url or "").endswith(endings)]
    timings = [dosage.timing.repeat for dosage in order.dosage_instruction if dosage.timing]
    stops += [repeat.bounds_period.end for repeat in timings if repeat and repeat.bounds_period]
    return max((span for stop in stops if (span := day_span(stop))), default=None)


_LONGEST_SUPPLY = 3660
"""Days; a longer supply is an error."""


def use_start(entry: MedicationEntry) -> DaySpan | None:
    """The day of the order, of the statement, of the dispense or of the administration."""
    if isinstance(entry, MedicationRequest):
        return day_span(entry.authored_on)
    if isinstance(entry, MedicationDispense):
        return day_span(entry.when_handed_over or entry.when_prepared)
    period = entry.effective_period
    asserted = entry.date_asserted if isinstance(entry, MedicationStatement) else None
    return day_span(entry.effective_date_time or (period.start if period else None) or asserted)


class _GroupLookup:
    """The interaction groups of medication entries, looked up once per product of a record."""

    def __init__(self, products: ProductReader, knowledge: Knowledge) -> None:
        self._products = products
        self._knowledge = knowledge
        self._seen: dict[Product, Mapping[str, str]] = {}

    def drug(self, entry: MedicationEntry) -> IdentifiedProduct:
        """The drug of an entry."""
        return self._products.of(entry.medication_codeable_concept, entry.medication_reference, entry.contained)

    def groups(self, drug: IdentifiedProduct) -> Mapping[str, str]:
        """By group the ingredients of a drug, or of what its codes and words name, that belong to it."""
        if drug.product is None:
            return {}
        groups = self._of(drug.product)
        for other in drug.contradicted_by:
            groups = {**self._of(other), **groups}
        return groups

    def _of(self, product: Product) -> Mapping[str, str]:
        groups = self._seen.get(product)
        if groups is None:
            groups = self._seen[product] = self._groups(product)
        return groups

    def _groups(self, product: Product) -> Mapping[str, str]:
        medications, interactions = self._knowledge.medications, self._knowledge.interactions
        ingredients: dict[str, dict[str, None]] = {}
        for name, ingredient in interactions.groups_of_product(
            [part.ingredient for part in product.parts], medications
        ):
            ingredients.setdefault(name, {})[ingredient] = None
        return {name: "/".join(parts) for name, parts in ingredients.items()}


class _SearchExtent(NamedTuple):
    """The inputs that were searched, what was missing in them, and whether they were read whole and are empty."""

    missing: tuple[str, ...]
    unread: tuple[str, ...]
    looked_in: tuple[str, ...]
    absent: bool
    unrecognised: tuple[Evidence, ...]
    """The entries that may be in use and may be any drug."""


def _search_extent(record: Record, knowledge: Knowledge, unrecognised: Mapping[str, Evidence]) -> _SearchExtent:
    counts = {name: len(record.input(name).resources) for name in INPUTS}
    missing = record.gaps(INPUTS)
    absent = not missing and not any(counts.values())
    unread = (_LIST,) if absent else record.unread_of(INPUTS)
    if unrecognised:
        missing += (knowledge.wording.gaps["unrecognised_drugs"].format(count=len(unrecognised)),)
        unread += (UNRECOGNISED,)
    return _SearchExtent(
        missing=(knowledge.wording.gaps["no_medications"],) if absent else missing,
        unread=unread,
        looked_in=tuple(f"{name} ({count})" for name, count in counts.items()),
        absent=absent,
        unrecognised=_ordered(list(unrecognised.values())),
    )


def _fact(name: str, by_status: Mapping[str, list[Evidence]] | None, extent: _SearchExtent) -> Fact:
    value = Presence(**{status: _ordered(entries) for status, entries in by_status.items()}) if by_status else ABSENT
    return Fact(
        name=name,
        value=value,
        evidence=value.current + value.possible + value.past + extent.unrecognised,
        unread=extent.unread,
        absent=extent.absent,
        missing=extent.missing,
        looked_in=extent.looked_in,
    )


def _ordered(entries: list[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(entries, key=lambda entry: (str(entry.day), entry.reference)))
