"""Permissions as SMART scopes, requested and granted, in SMART 1 and SMART 2 syntax."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cds_hooks.settings.issuers import Issuer
from fhir_plugin.reading.scopes import ScopeCoverage, scope_coverage

WRITTEN = ("QuestionnaireResponse", "Observation")
"""Resource types that saving a questionnaire creates."""
_CREATES = re.compile(r"(?:patient|user)/(\*|[A-Za-z]+)\.(?:write|\*|cr?u?d?s?)")
"""A scope that allows creating any resource of a type; a scope with a query allows only a subset."""


def requested_scopes(issuer: Issuer, types: Iterable[str], *, launched: bool) -> str:
    """The scopes to request: for a launch from a chart, or one where the user selects the patient in the EHR."""
    read, write = ("rs", "c") if issuer.scopes == "v2" else ("read", "write")
    scopes = ["launch" if launched else "launch/patient", "openid", "fhirUser"]
    scopes += [f"patient/{kind}.{read}" for kind in sorted(set(types))]
    if issuer.may_write:
        scopes += [f"patient/{kind}.{write}" for kind in WRITTEN]
    return " ".join(scopes)


def may_read(scopes: str, kind: str) -> bool:
    """Whether all resources of a type may be read; permission for a subset (``?category=...``) does not count."""
    return scope_coverage(scopes, kind, search=kind != "Patient") is ScopeCoverage.ALL


def may_create(scopes: str, kind: str) -> bool:
    """Whether a resource of a type may be created."""
    matches = (_CREATES.fullmatch(scope) for scope in scopes.split())
    return any(scope is not None and scope[1] in ("*", kind) for scope in matches)
