"""Observations that hold scores: a total, a panel with its members, components, or single items."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from fhir_plugin.record.datatypes import CodeableConcept
from fhir_plugin.record.resources import Observation, ObservationComponent, ResponseAnswer
from fhir_plugin.scales.answers import Fault, value_of
from fhir_plugin.scales.scoring import Score, recorded_level, recorded_total, score_values
from mappings.schema.instruments import LOCAL_CODES, Instruments, PreparedInstrument
from mappings.schema.instruments.model import LOINC, Risk

USABLE_STATUSES = ("final", "amended", "corrected")
VOID_STATUSES = ("entered-in-error", "cancelled")
_SYSTEMS = (LOINC, LOCAL_CODES)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_MAX_DEPTH = 3

Coded = Observation | ObservationComponent
ValueT = TypeVar("ValueT")


@dataclass(slots=True)
class GatheredAnswers:
    """What one administration says, put together from the Observations that belong to it."""

    form: PreparedInstrument
    sources: list[Observation]
    total: float | None = None
    level: str | None = None
    items: dict[int, int | Fault] = field(default_factory=dict)
    """Value by position of the item."""
    flags: list[str] = field(default_factory=list)


def gather_scores(
    observations: Sequence[Observation], instruments: Instruments, sex: str | None = None
) -> Iterator[tuple[GatheredAnswers, Score]]:
    """Every administration that these Observations record, with its score; void Observations are passed over."""
    living = [each for each in observations if each.status not in VOID_STATUSES]
    panels = any(each.has_member for each in living)
    by_reference = {each.reference: each for each in living if each.id} if panels else {}
    gathered: list[GatheredAnswers] = []
    others: list[Observation] = []
    for each in living:
        name = _lookup(each.code, instruments.heads)
        if name is None:
            if _lookup(each.code, instruments.links):
                others.append(each)
            continue
        one = GatheredAnswers(instruments.forms[name], [])
        _add_observation(each, one, by_reference, _MAX_DEPTH)
        gathered.append(one)
    members = {id(source) for one in gathered for source in one.sources[1:]}
    taken = {id(source) for one in gathered for source in one.sources}
    whole = (one for one in gathered if id(one.sources[0]) not in members)
    for one in (*whole, *_loose_items([each for each in others if id(each) not in taken], instruments)):
        if one.total is not None or one.level is not None or one.items or one.flags:
            yield one, _scored(one, sex)


def _lookup(concept: CodeableConcept | None, table: Mapping[str, ValueT]) -> ValueT | None:
    """What the first code of the concept that is in the table stands for."""
    for coding in concept.coding if concept else ():
        found = table.get(coding.code or "")
        if found is not None and coding.system in _SYSTEMS:
            return found
    return None


def _codes(concept: CodeableConcept | None) -> list[str]:
    if concept is None:
        return []
    return [coding.code for coding in concept.coding if coding.code and coding.system in _SYSTEMS]


def _add_observation(
    observation: Observation, one: GatheredAnswers, by_reference: Mapping[str, Observation], depth: int
) -> None:
    one.sources.append(observation)
    if observation.status not in USABLE_STATUSES:
        one.flags.append(f"status:{observation.status or 'missing'}")
    _add_value(observation, one)
    for component in observation.component:
        _add_value(component, one)
    for member in observation.has_member if depth else ():
        found = by_reference.get("/".join((member.reference or "").rsplit("/", 2)[-2:]))
        if found and found not in one.sources:
            _add_observation(found, one, by_reference, depth - 1)


def _add_value(coded: Coded, one: GatheredAnswers) -> None:
    for code in _codes(coded.code):
        if code in one.form.totals:
            _add_total(coded, one)
        elif code in one.form.by_link:
            place = one.form.by_link[code]
            value = value_of(tuple(_answers(coded)), one.form.items[place], None)
            if value is not None:
                one.items[place] = value


def _add_total(coded: Coded, one: GatheredAnswers) -> None:
    formula = one.form.instrument.formula
    if isinstance(formula, Risk):
        said = set(_codes(coded.value_codeable_concept))
        levels = (level.name for level in formula.levels if level.code in said)
        one.level = next(levels, formula.otherwise if f"{one.form.instrument.id}-none" in said else None)
        if one.level is None and (coded.value_codeable_concept or coded.value_string):
            one.flags.append("total_unreadable")
        return
    number = _number(coded)
    low, high = one.form.instrument.range or (0, 0)
    if number is None:
        if coded.value_quantity or coded.value_string:
            one.flags.append("total_unreadable")
    elif not low <= number <= high:
        one.flags.append("out_of_range:total")
    elif number != int(number):
        one.flags.append("not_an_integer:total")
    else:
        one.total = number


def _number(coded: Coded) -> float | None:
    if coded.value_integer is not None:
        return coded.value_integer
    if coded.value_quantity:
        return None if coded.value_quantity.comparator else coded.value_quantity.value
    if coded.value_string and _NUMBER.fullmatch(coded.value_string.strip()):
        return float(coded.value_string)
    return None


def _answers(coded: Coded) -> Iterator[ResponseAnswer]:
    for coding in coded.value_codeable_concept.coding if coded.value_codeable_concept else ():
        yield ResponseAnswer(value_coding=coding)
    if (number := _number(coded)) is not None:
        yield ResponseAnswer(value_decimal=number)
    elif coded.value_string:
        yield ResponseAnswer(value_string=coded.value_string)


def _loose_items(observations: Iterable[Observation], instruments: Instruments) -> Iterator[GatheredAnswers]:
    """Single items that stand outside a panel, put together where they were observed at one moment."""
    moments: dict[str, list[Observation]] = {}
    for observation in observations:
        moments.setdefault(moment_of(observation) or observation.reference, []).append(observation)
    for together in moments.values():
        codes = {code for each in together for code in _codes(each.code) if code in instruments.links}
        while codes:
            able = set(instruments.links[next(iter(sorted(codes)))])
            form = instruments.forms[max(able, key=lambda name: (_fit(instruments.forms[name], codes), name))]
            one = GatheredAnswers(form, [])
            for each in together:
                if codes.intersection(_codes(each.code)) & form.by_link.keys():
                    _add_observation(each, one, {}, 0)
            codes -= form.by_link.keys()
            yield one


def _fit(form: PreparedInstrument, codes: set[str]) -> tuple[int, int]:
    """How many of the codes the form has, and (fewer is better) how many items it has."""
    return len(codes & form.by_link.keys()), -len(form.items)


def moment_of(observation: Observation) -> str | None:
    """When it was observed, as written."""
    period = observation.effective_period
    return (
        observation.effective_date_time
        or observation.effective_instant
        or (period.end or period.start if period else None)
    )


def _scored(one: GatheredAnswers, sex: str | None) -> Score:
    """The score: from the items where they are whole, else the total or the level as it was recorded."""
    instrument = one.form.instrument
    if one.total is not None and not one.items:
        return recorded_total(instrument, one.total, None, [*dict.fromkeys(one.flags)], sex)
    read = [one.items.get(place) for place in range(len(one.form.items))]
    flags = [*dict.fromkeys(one.flags)]
    flags += [
        f"{value}:{item.key}" for value, item in zip(read, one.form.items, strict=True) if isinstance(value, Fault)
    ]
    values = [None if isinstance(value, Fault) else value for value in read]
    from_items = score_values(instrument, values, flags, sex=sex, stored=one.total)
    if from_items.total is not None or (one.total is None and one.level is None):
        return from_items
    if one.total is not None:
        return recorded_total(instrument, one.total, from_items, flags, sex)
    return recorded_level(instrument, one.level, from_items, flags)
