"""The inputs of a record: the queries to a FHIR server, by name.

One table defines both the published prefetch templates and the service's own queries, so that both channels return
the same resources. Queries use only what CDS Hooks calls widely supported: a read, or a search by patient and token
with equality, ``_count`` and ``_sort``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

LOINC = "http://loinc.org"
PAGE_SIZE = 200
"""``_count`` of a prefetch template: what the strictest common servers return at most; a next link tells of more."""


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
    status: str = ""
    """The only status that is searched for, such as ``active``."""
    newest_first: str = ""
    """``_sort`` of the prefetch template, where the newest value decides and a first page may be all that comes."""

    def template(self, patient: str, codes: Iterable[str] = ()) -> str:
        """The prefetch template: a relative URL as CDS Hooks writes it, not encoded, because clients encode templates.

        ``patient`` is an id or the CDS Hooks token for it.
        """
        if self.resource_type == "Patient":
            return f"Patient/{patient}"
        paging = [("_count", str(PAGE_SIZE)), *([("_sort", self.newest_first)] if self.newest_first else [])]
        return f"{self.resource_type}?{_joined([*self._parameters(patient, codes), *paging])}"

    def query(self, patient: str, codes: Iterable[str] = (), page_size: int | None = None) -> str:
        """The same query as it is sent: every value percent-encoded, with ``page_size`` as its ``_count``.

        Without ``_sort``: all pages are read, and a server may leave out what lacks the element that it sorts by.
        """
        if self.resource_type == "Patient":
            return f"Patient/{patient}"
        parameters = self._parameters(patient, codes)
        if page_size is not None:
            parameters.append(("_count", str(page_size)))
        return f"{self.resource_type}?{_joined((name, quote(value, safe='')) for name, value in parameters)}"

    def _parameters(self, patient: str, codes: Iterable[str]) -> list[tuple[str, str]]:
        parameters = [(self.patient_parameter, patient)]
        if self.status:
            parameters.append(("status", self.status))
        if self.by_code:
            parameters.append(("code", ",".join(codes)))
        return parameters


def _joined(parameters: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in parameters)


_TABLE = (
    InputDefinition("patient", "Patient", required=True),
    InputDefinition("conditions", "Condition", required=True),
    InputDefinition("observations", "Observation", by_code=True, newest_first="-date"),
    InputDefinition("questionnaireResponses", "QuestionnaireResponse", newest_first="-authored"),
    InputDefinition("medicationRequests", "MedicationRequest"),
    InputDefinition("medicationDispenses", "MedicationDispense"),
    InputDefinition("medicationStatements", "MedicationStatement"),
    InputDefinition("medicationAdministrations", "MedicationAdministration"),
    InputDefinition("procedures", "Procedure"),
    InputDefinition("devices", "Device"),
    InputDefinition("allergies", "AllergyIntolerance"),
    InputDefinition("coverages", "Coverage"),
    InputDefinition("serviceRequests", "ServiceRequest", status="active"),
)

INPUTS: Mapping[str, InputDefinition] = {definition.name: definition for definition in _TABLE}
