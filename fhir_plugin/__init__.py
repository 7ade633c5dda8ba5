"""What the record says, and what follows from it: a record in, a decision out. Knows the knowledge, and no CDS Hooks.

The names below are the public ones (``docs/python-api.md``). They are loaded when they are first used, so that a
program which needs one room of this package does not load the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fhir_plugin.deciding.decide import Decision, decide
    from fhir_plugin.deciding.finding import Finding, Verdict
    from fhir_plugin.deciding.report import DecisionReport, report
    from fhir_plugin.errors import TandemError
    from fhir_plugin.reading.gather import FhirAccess
    from fhir_plugin.reading.needs import data_needs
    from fhir_plugin.reading.sources import BundleSource, RecordSource, ServerSource, read_record
    from fhir_plugin.record.record import Record
    from mappings.schema.errors import KnowledgeError
    from mappings.schema.load import Knowledge, load_knowledge

__all__ = [
    "BundleSource",
    "Decision",
    "DecisionReport",
    "FhirAccess",
    "Finding",
    "Knowledge",
    "KnowledgeError",
    "Record",
    "RecordSource",
    "ServerSource",
    "TandemError",
    "Verdict",
    "data_needs",
    "decide",
    "load_knowledge",
    "read_record",
    "report",
]

if not TYPE_CHECKING:  # a type checker would take __getattr__ for a promise that every name exists
    _MODULES = {
        "BundleSource": "fhir_plugin.reading.sources",
        "Decision": "fhir_plugin.deciding.decide",
        "DecisionReport": "fhir_plugin.deciding.report",
        "FhirAccess": "fhir_plugin.reading.gather",
        "Finding": "fhir_plugin.deciding.finding",
        "Knowledge": "mappings.schema.load",
        "KnowledgeError": "mappings.schema.errors",
        "Record": "fhir_plugin.record.record",
        "RecordSource": "fhir_plugin.reading.sources",
        "ServerSource": "fhir_plugin.reading.sources",
        "TandemError": "fhir_plugin.errors",
        "Verdict": "fhir_plugin.deciding.finding",
        "data_needs": "fhir_plugin.reading.needs",
        "decide": "fhir_plugin.deciding.decide",
        "load_knowledge": "mappings.schema.load",
        "read_record": "fhir_plugin.reading.sources",
        "report": "fhir_plugin.deciding.report",
    }

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_MODULES[name]), name)

    def __dir__():
        return sorted({*globals(), *__all__})
