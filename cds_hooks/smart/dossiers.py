"""The page of a prior authorization: the dossier of ``tandem dossier``, built from the open chart."""

from __future__ import annotations

from typing import Any

from cds_hooks.dossier.page import page_values
from fhir_plugin.courses.report import course_notes, course_report
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.payers.dossier import build_dossier
from mappings.schema.load import Knowledge


def dossier_content(decision: Decision, knowledge: Knowledge, requested: str) -> dict[str, Any]:
    """The content of the page; ``requested`` selects the treatment if there is a dossier for it."""
    treatments = knowledge.dossier.treatments
    treatment = requested if requested in treatments else next(iter(treatments))
    dossier = build_dossier(decision, knowledge, treatment)
    course = course_notes(course_report(decision.facts.scores, decision.facts.treatments))
    return page_values(dossier, knowledge, course) | {"choices": list(treatments.items()), "asked": treatment}
