"""The inputs of a record: the queries to a FHIR server, by name.

One table defines both the published prefetch templates and the service's own queries, so that both channels return
the same resources. Queries use only what CDS Hooks calls widely supported: a read, or a search by patient and token
with equality.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LOINC = "http://loinc.org"


@dataclass(frozen=True, slots=True)
class InputDefinition:
    """One input and its query."""

    name: str
    """Key in the prefetch and in ``Record.inputs``."""
    resource_type: str
    patient_parameter: str = "patient"
    required: bool = False
    """Whether no decision is possible without it, so that its absence results in status 412."""
    by_code: bool = False
    """Whether the search must name codes (many servers refuse Observation by patient alone)."""
    only: str = ""
    """Additional search parameters, such as ``status=active``."""

    def template(self, patient: str, codes: Iterable[str] = ()) -> str:
        """The query as a relative URL; ``patient`` is an id or the CDS Hooks token for it."""
        if self.resource_type == "Patient":
            return f"Patient/{patient}"
        query = f"{self.resource_type}?{self.patient_parameter}={patient}"
        query = f"{query}&{self.only}" if self.only else query
        return f"{query}&code={','.join(codes)}" if self.by_code else query


_TABLE = (
    InputDefinition("patient", "Patient", required=True),
    InputDefinition("conditions", "Condition", required=True),
    InputDefinition("observations", "Observation", by_code=True),
    InputDefinition("questionnaireResponses", "QuestionnaireResponse"),
    InputDefinition("medicationRequests", "MedicationRequest"),
    InputDefinition("medicationDispenses", "MedicationDispense"),
    InputDefinition("medicationStatements", "MedicationStatement"),
    InputDefinition("medicationAdministrations", "MedicationAdministration"),
    InputDefinition("procedures", "Procedure"),
    InputDefinition("devices", "Device"),
    InputDefinition("allergies", "AllergyIntolerance"),
    InputDefinition("coverages", "Coverage"),
    InputDefinition("serviceRequests", "ServiceRequest", only="status=active"),
)

INPUTS: Mapping[str, InputDefinition] = {definition.name: definition for definition in _TABLE}
