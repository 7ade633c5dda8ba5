from tests.support.demo.fixtures import fhir, patients

__all__ = ["fhir", "patients"]
