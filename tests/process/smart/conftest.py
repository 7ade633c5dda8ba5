from tests.support.smart.fixtures import app, browser, fhir, shared, visitor

__all__ = ["app", "browser", "fhir", "shared", "visitor"]
