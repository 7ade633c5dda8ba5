"""Recommendations as FHIR resources that a clinician can take: drafts, built and validated with ``fhir.resources``."""

from __future__ import annotations

from fhir.resources.R4B.servicerequest import ServiceRequest

from fhir_plugin.questionnaires import panel_coding
from mappings.instruments import Instruments


def build_measure_order(patient_id: str, instrument: str, instruments: Instruments) -> ServiceRequest:
    """A draft order for the patient to complete an instrument; raises ``KeyError`` for one that there is not."""
    asked = instruments[instrument]
    return ServiceRequest.model_validate(
        {
            "resourceType": "ServiceRequest",
            "status": "draft",
            "intent": "proposal",
            "code": {"coding": [panel_coding(asked)], "text": asked.title},
            "subject": {"reference": f"Patient/{patient_id}"},
        }
    )
