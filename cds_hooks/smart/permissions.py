"""Permissions as SMART scopes: what is asked for, and what was granted, in either version."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cds_hooks.smart.issuers import Issuer

WRITTEN = ("QuestionnaireResponse", "Observation")
"""Resource types that saving a questionnaire creates."""
_SCOPE = re.compile(r"(patient|user)/(\*|[A-Za-z]+)\.(read|write|\*|[cruds]{1,5})(\?.*)?")


def asked_for(issuer: Issuer, types: Iterable[str], *, launched: bool) -> str:
    """The scopes of a launch: from a chart, or where the user chooses the patient there."""
    read, write = ("rs", "c") if issuer.scopes == "v2" else ("read", "write")
    scopes = ["launch" if launched else "launch/patient", "openid", "fhirUser"]
    scopes += [f"patient/{kind}.{read}" for kind in sorted(set(types))]
    if issuer.may_write:
        scopes += [f"patient/{kind}.{write}" for kind in WRITTEN]
    return " ".join(scopes)


def may_read(granted: str, kind: str) -> bool:
    """Whether a type may be read as a whole; a permission for a part of it (``?category=...``) is none."""
    return any(_covers(scope, kind) and not scope[4] and (scope[3] in ("read", "*") or {"r", "s"} <= set(scope[3]))
               for scope in _scopes(granted))  # fmt: skip


def may_create(granted: str, kind: str) -> bool:
    """Whether a resource of a type may be created."""
    return any(
        _covers(scope, kind) and not scope[4] and (scope[3] in ("write", "*") or "c" in _letters(scope[3]))
        for scope in _scopes(granted)
    )


def _letters(what: str | None) -> str:
    return what if what and what not in ("read", "write") else ""


def _scopes(granted: str) -> list[re.Match[str]]:
    return [found for each in granted.split() if (found := _SCOPE.fullmatch(each))]


def _covers(scope: re.Match[str], kind: str) -> bool:
    return scope[2] in ("*", kind)
