"""The facts that criteria may compare: their names, kinds and the inputs that they read."""

from __future__ import annotations

from pathlib import Path

from mappings.schema.base.entries import Entry
from mappings.schema.base.files import read_yaml
from mappings.schema.codes.interactions import Interactions
from mappings.schema.codes.laboratory import Laboratory
from mappings.schema.codes.screens import Screens
from mappings.schema.codes.value_sets import ValueSets
from mappings.schema.instruments import Instruments
from mappings.schema.instruments.model import Instrument, Risk
from mappings.schema.rules.criteria import FactKind

_DRUG_INPUTS = ("medicationRequests", "medicationStatements", "medicationDispenses")
_SCORE_INPUTS = ("questionnaireResponses", "observations")


class FactDefinition(Entry):
    """One fact, as criteria refer to it."""

    kind: FactKind
    title: str
    """Its display name, as the beginning of a sentence."""
    inputs: tuple[str, ...]
    unit: str = ""
    components: tuple[str, ...] = ()
    """Of a measurement."""
    highest: float | None = None
    """Of a count: the most that it can be, where that is known."""


class _FactFile(Entry):
    facts: dict[str, FactDefinition]


def load_fact_definitions(
    path: Path,
    value_sets: ValueSets,
    instruments: Instruments,
    interactions: Interactions,
    laboratory: Laboratory,
    screens: Screens,
) -> dict[str, FactDefinition]:
    """The declared facts, and those derived from topics, instruments, groups of drugs, laboratory tests and screens."""
    declared = dict(read_yaml(path, _FactFile).facts)
    for topic in value_sets.topics.values():
        reasons = value_sets.reviewed.reasons_in if topic.reasons else ()
        inputs = (*topic.read_in, *reasons)
        declared[topic.fact] = FactDefinition(kind=FactKind.PRESENCE, title=topic.title, inputs=inputs)
    for name, form in instruments.forms.items():
        declared |= _instrument_facts(name, form.instrument)
    for name, drug in interactions.drugs.items():
        declared[f"drugs.{name}"] = FactDefinition(kind=FactKind.PRESENCE, title=drug.title, inputs=_DRUG_INPUTS)
    for name, test in laboratory.tests.items():
        declared[f"tests.{name}"] = FactDefinition(kind=FactKind.PRESENCE, title=test.title, inputs=("observations",))
    for name, number in laboratory.measured.items():
        declared[f"labs.{name}.latest"] = FactDefinition(
            kind=FactKind.MEASUREMENT,
            title=number.title,
            unit=number.unit,
            components=("value",),
            inputs=("observations",),
        )
    for name, screen in screens.screens.items():
        declared[f"screens.{name}"] = FactDefinition(kind=FactKind.PRESENCE, title=screen.title, inputs=screen.inputs)
    return declared


def _instrument_facts(name: str, instrument: Instrument) -> dict[str, FactDefinition]:
    latest = FactDefinition(
        kind=FactKind.MEASUREMENT,
        title=f"Last {instrument.short}",
        unit="{score}",
        components=("level",) if isinstance(instrument.formula, Risk) else ("total",),
        inputs=_SCORE_INPUTS,
    )
    facts = {f"scores.{name}.latest": latest}
    if instrument.suicide:
        title = f"Suicide item of the {instrument.short}"
        facts[f"scores.{name}.suicide_item"] = FactDefinition(kind=FactKind.PRESENCE, title=title, inputs=_SCORE_INPUTS)
    return facts
