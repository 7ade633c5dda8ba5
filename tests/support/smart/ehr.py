"""An EHR for tests: an authorization server that asks nobody anything, in front of a real FHIR server.

A launch key is the id of a patient. What tests want it to do otherwise stands in ``Ehr``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cds_hooks.demo.ehr import FhirProxy, serving

DEFAULT_PATIENT = "two-failures"


class _Null:
    def __repr__(self) -> str:
        """The same in every process, as the name of a test has to be."""
        return "NULL"


NULL = _Null()
"""Stands for a member that is ``null``; ``None`` leaves a member out."""


@dataclass
class Code:
    """What a code stands for."""

    challenge: str
    redirect: str
    client: str
    scope: str
    patient: str


@dataclass
class Ehr:
    """The running EHR: what it was asked, and how it misbehaves."""

    fhir: str
    """The FHIR server behind it."""
    address: str = ""
    secret: str = ""
    """Of the client; empty for a public one."""
    token_changes: dict[str, Any] = field(default_factory=dict)
    """Members of the token answer in the place of the right ones; ``None`` leaves one out, ``NULL`` is null."""
    configuration: dict[str, Any] = field(default_factory=dict)
    refuse_with: str = ""
    """The error of RFC 6749 that the user comes back with."""
    code_padding: int = 0
    """Characters by which a code is longer than usual."""
    created: list[dict[str, Any]] = field(default_factory=list)
    """The resources that were to be created."""
    refuse_writes: tuple[str, ...] = ()
    """Resource types that it does not let be created."""
    lose_writes: bool = False
    """Whether it creates resources and fails before it says so."""
    codes: dict[str, Code] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """Token -> patient."""
    authorizations: list[dict[str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    token_forms: list[dict[str, str]] = field(default_factory=list)
    replaced: dict[str, list[dict[str, Any]]] | None = None
    """By type, what stands in the place of all that the FHIR server holds."""

    @property
    def issuer(self) -> str:
        return f"{self.address}/fhir"


class _Handler(FhirProxy):
    ehr: Ehr

    def do_GET(self) -> None:  # noqa: N802 - the name is that of http.server
        path = urlsplit(self.path)
        self.ehr.asked.append(f"GET {path.path}")
        if path.path == "/fhir/.well-known/smart-configuration":
            right = {"authorization_endpoint": f"{self.ehr.address}/authorize",
                     "token_endpoint": f"{self.ehr.address}/token",
                     "code_challenge_methods_supported": ["S256"]}  # fmt: skip
            self.json(written(right | self.ehr.configuration))
        elif path.path == "/authorize":
            self._authorize({name: values[0] for name, values in parse_qs(path.query).items()})
        elif path.path.startswith("/fhir/"):
            self._proxied(b"")
        else:
            self.json({}, 404)

    def do_POST(self) -> None:  # noqa: N802 - the name is that of http.server
        self.ehr.asked.append(f"POST {urlsplit(self.path).path}")
        body = self.body()
        if self.path.count("/") == 2 and "/_search" not in self.path and self.path.startswith("/fhir/"):
            self.ehr.created.append(json.loads(body))
        if self.path == "/token":
            self._token({name: values[0] for name, values in parse_qs(body.decode()).items()})
        elif self.path.rpartition("/")[2] in self.ehr.refuse_writes:
            self.json({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}, 403)
        else:
            self._proxied(body)

    def _authorize(self, asked: dict[str, str]) -> None:
        self.ehr.authorizations.append(asked)
        back = {"state": asked["state"]}
        if self.ehr.refuse_with:
            back["error"] = self.ehr.refuse_with
        else:
            back["code"] = secrets.token_urlsafe(16) + "c" * self.ehr.code_padding
            self.ehr.codes[back["code"]] = Code(
                asked["code_challenge"], asked["redirect_uri"], asked["client_id"], asked["scope"],
                asked.get("launch", DEFAULT_PATIENT),
            )  # fmt: skip
        self.answer(302, {"Location": f"{asked['redirect_uri']}?{urlencode(back)}"})

    def _token(self, form: dict[str, str]) -> None:
        self.ehr.token_forms.append(form)
        code = self.ehr.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        given = self.headers.get("Authorization", "")
        wanted = f"Basic {base64.b64encode(f'tandem:{self.ehr.secret}'.encode()).decode()}" if self.ehr.secret else ""
        named = given == wanted and (bool(given) or form.get("client_id") == "tandem")
        if code is None or code.challenge != proof or form.get("redirect_uri") != code.redirect or not named:
            self.json({"error": "invalid_grant"}, 400)
            return
        token = secrets.token_urlsafe(24)
        self.ehr.tokens[token] = code.patient
        answer: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        answer |= {"scope": code.scope, "patient": code.patient} | self.ehr.token_changes
        self.json(written(answer))

    def _proxied(self, body: bytes) -> None:
        if self.token_of() not in self.ehr.tokens:
            self.json({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "login"}]}, 401)
        elif self.ehr.replaced is not None:
            self._replaced(self.ehr.replaced)
        else:
            said = self.forward(body)
            lost = self.ehr.lose_writes and self.command == "POST"
            self.answer(*((502, {}, b"{}") if lost else said))

    def _replaced(self, held: dict[str, list[dict[str, Any]]]) -> None:
        kind, _, identifier = urlsplit(self.path).path.removeprefix("/fhir/").partition("/")
        found = held.get(kind, [])
        if identifier and identifier != "_search":
            self.json(found[0])
        else:
            entries = [{"resource": each} for each in found]
            self.json({"resourceType": "Bundle", "type": "searchset", "entry": entries})


def written(members: dict[str, Any]) -> dict[str, Any]:
    """The members as they are sent."""
    return {name: None if value is NULL else value for name, value in members.items() if value is not None}


def id_token(**claims: Any) -> str:
    """An ID token for this app with those claims; nobody checks its signature, because it comes over TLS."""
    parts = ({"alg": "RS256"}, {"aud": "tandem", "sub": "1"} | claims)
    return ".".join([*(_base64url(json.dumps(part).encode()) for part in parts), "c2ln"])


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@contextmanager
def running_ehr(fhir: str) -> Iterator[Ehr]:
    """Run it; ``fhir`` is the base URL of the FHIR server behind it."""
    ehr = Ehr(fhir)
    with serving(type("Handler", (_Handler,), {"ehr": ehr})) as address:
        ehr.address = address
        yield ehr
