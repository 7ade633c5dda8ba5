"""Names under which cases from outside the repository find what they run; see ``docs/testing.md``."""

from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from fhir_plugin.deciding.decide import decide
from fhir_plugin.deciding.report import report
from fhir_plugin.facts.scores.read import read_scores
from fhir_plugin.facts.trials.read import read_trials
from fhir_plugin.record.decoding import record_from_bundle
from mappings.schema.instruments import load_instruments
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
