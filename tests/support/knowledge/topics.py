"""What entries of a record mean for one topic of the conditions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fhir_plugin.facts.conditions import read_conditions
from fhir_plugin.facts.fact import Fact, Presence
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, chart, condition

LAST_WEEK = (AS_OF - timedelta(days=7)).isoformat()


def fact(knowledge: Knowledge, topic: str, *entries: dict[str, Any]) -> Fact:
    """The fact about the topic, from a record of these entries."""
    return read_conditions(chart(*entries), knowledge, AS_OF).facts()[f"conditions.{topic}"]


def presence(knowledge: Knowledge, topic: str, *entries: dict[str, Any]) -> Presence:
    """The entries that concern the topic."""
    value = fact(knowledge, topic, *entries).value
    assert isinstance(value, Presence)
    return value


def words(text: str) -> dict[str, Any]:
    """A diagnosis of last week without a code."""
    return condition("", onsetDateTime=LAST_WEEK) | {"code": {"text": text}}
