"""An EHR for tests: an authorization server that asks nobody anything, in front of a real FHIR server.

A launch key is the id of a patient. What tests want it to do otherwise stands in ``Ehr``.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

DEFAULT_PATIENT = "two-failures"
_HOP = {"connection", "transfer-encoding", "content-length", "content-encoding", "server", "date"}


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
    """Members of the token answer that stand in the place of the right ones; ``None`` leaves one out."""
    configuration: dict[str, Any] = field(default_factory=dict)
    refuse_with: str = ""
    """The error of RFC 6749 that the user comes back with."""
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


class _Handler(BaseHTTPRequestHandler):
    ehr: Ehr
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        self.ehr.asked.append(f"GET {path.path}")
        if path.path == "/fhir/.well-known/smart-configuration":
            right = {"authorization_endpoint": f"{self.ehr.address}/authorize",
                     "token_endpoint": f"{self.ehr.address}/token",
                     "code_challenge_methods_supported": ["S256"]}  # fmt: skip
            self._json(right | self.ehr.configuration)
        elif path.path == "/authorize":
            self._authorize({name: values[0] for name, values in parse_qs(path.query).items()})
        elif path.path.startswith("/fhir/"):
            self._proxied(b"")
        else:
            self._json({}, 404)

    def do_POST(self) -> None:
        self.ehr.asked.append(f"POST {urlsplit(self.path).path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == "/token":
            self._token({name: values[0] for name, values in parse_qs(body.decode()).items()})
        elif self.path.rpartition("/")[2] in self.ehr.refuse_writes:
            self._json({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}, 403)
        else:
            self._proxied(body)

    def _authorize(self, asked: dict[str, str]) -> None:
        self.ehr.authorizations.append(asked)
        back = {"state": asked["state"]}
        if self.ehr.refuse_with:
            back["error"] = self.ehr.refuse_with
        else:
            back["code"] = secrets.token_urlsafe(16)
            self.ehr.codes[back["code"]] = Code(
                asked["code_challenge"], asked["redirect_uri"], asked["client_id"], asked["scope"],
                asked.get("launch", DEFAULT_PATIENT),
            )  # fmt: skip
        self.send_response(302)
        self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(back)}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _token(self, form: dict[str, str]) -> None:
        self.ehr.token_forms.append(form)
        code = self.ehr.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        given = self.headers.get("Authorization", "")
        wanted = f"Basic {base64.b64encode(f'tandem:{self.ehr.secret}'.encode()).decode()}" if self.ehr.secret else ""
        named = given == wanted and (bool(given) or form.get("client_id") == "tandem")
        if code is None or code.challenge != proof or form.get("redirect_uri") != code.redirect or not named:
            self._json({"error": "invalid_grant"}, 400)
            return
        token = secrets.token_urlsafe(24)
        self.ehr.tokens[token] = code.patient
        answer: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        answer |= {"scope": code.scope, "patient": code.patient} | self.ehr.token_changes
        self._json({name: value for name, value in answer.items() if value is not None})

    def _proxied(self, body: bytes) -> None:
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in self.ehr.tokens:
            self._json({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "login"}]}, 401)
            return
        if self.ehr.replaced is not None:
            self._replaced(self.ehr.replaced)
            return
        behind = urlsplit(self.ehr.fhir)
        connection = http.client.HTTPConnection(behind.hostname or "", behind.port, timeout=30)
        headers = {name: self.headers[name] for name in ("Accept", "Content-Type", "Prefer") if name in self.headers}
        try:
            connection.request(self.command, behind.path + self.path.removeprefix("/fhir"), body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if self.ehr.lose_writes and self.command == "POST":
            self._json({}, 502)
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value.replace(self.ehr.fhir, self.ehr.issuer))
        content = content.replace(self.ehr.fhir.encode(), self.ehr.issuer.encode())
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _replaced(self, held: dict[str, list[dict[str, Any]]]) -> None:
        kind, _, identifier = urlsplit(self.path).path.removeprefix("/fhir/").partition("/")
        found = held.get(kind, [])
        if identifier and identifier != "_search":
            self._json(found[0])
        else:
            entries = [{"resource": each} for each in found]
            self._json({"resourceType": "Bundle", "type": "searchset", "entry": entries})

    def _json(self, body: dict[str, Any], status: int = 200) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature is the base class's
        """Nothing: the tests look at what was asked."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    """A page asks for a dozen things at once; who does not fit into the queue waits for a second."""


@contextmanager
def running_ehr(fhir: str) -> Iterator[Ehr]:
    """Run it; ``fhir`` is the base URL of the FHIR server behind it."""
    ehr = Ehr(fhir)
    handler = type("Handler", (_Handler,), {"ehr": ehr})
    with _Server(("127.0.0.1", 0), handler) as server:
        ehr.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield ehr
        finally:
            server.shutdown()
            thread.join()
