"""Names, and their arguments, under which cases from outside the repository find what they run."""

from __future__ import annotations

from datetime import date

from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from fhir_plugin.deciding import decide as deciding
from fhir_plugin.deciding import report as reporting
from fhir_plugin.facts.scores.read import read_scores
from fhir_plugin.facts.trials.read import read_trials
from fhir_plugin.record.decoding import record_from_bundle
from fhir_plugin.record.record import Record
from mappings.schema.instruments import load_instruments
from mappings.schema.knowledge import Knowledge
from mappings.schema.load import load_knowledge
from mappings.schema.medications import load_medications

__all__ = [
    "Settings",
    "create_app",
    "decide",
    "load_instruments",
    "load_knowledge",
    "load_medications",
    "read_scores",
    "read_trials",
    "record_from_bundle",
    "report",
]


def decide(record: Record, knowledge: Knowledge, protocol: str, as_of: date) -> deciding.Decision:
    """The decision, with the arguments by position."""
    return deciding.decide(record, knowledge, protocol=protocol, as_of=as_of)


def report(decision: deciding.Decision, knowledge: Knowledge, as_of: date) -> reporting.DecisionReport:
    """The report; a decision knows its own day, which must be the one named."""
    assert decision.facts.as_of == as_of
    return reporting.report(decision, knowledge)
