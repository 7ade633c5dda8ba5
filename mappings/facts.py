"""The names of the facts that criteria may compare, what kind each is, and which inputs it reads."""

from __future__ import annotations

from pathlib import Path

from mappings.criteria import Kind
from mappings.files import read_yaml
from mappings.model import Entry
from mappings.value_sets import ValueSets


class FactDefinition(Entry):
    """One fact, as criteria know it."""

    kind: Kind
    title: str
    """What a reader calls it, as the beginning of a sentence."""
    inputs: tuple[str, ...]
    unit: str = ""
    components: tuple[str, ...] = ()
    """Of a measurement."""


class _FactFile(Entry):
    facts: dict[str, FactDefinition]


def load_fact_definitions(path: Path, value_sets: ValueSets) -> dict[str, FactDefinition]:
    """The declared facts, and one ``conditions.<topic>`` for every topic."""
    declared = dict(read_yaml(path, _FactFile).facts)
    for name, topic in value_sets.topics.items():
        declared[f"conditions.{name}"] = FactDefinition(kind=Kind.PRESENCE, title=topic.title, inputs=topic.read_in)
    return declared
