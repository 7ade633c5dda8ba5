"""The EHR of the demo, as far as the SMART app needs one: a sign-in without a prompt, and a FHIR proxy.

Only for synthetic patients on loopback. The launch parameter is the id of a patient.
"""

from __future__ import annotations

import http.client
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from cds_hooks.demo.strictness import is_valid_target
from cds_hooks.smart.authorization import challenge

CLIENT_ID = "tandem"
FIRST_PATIENT = "two-failures"
_JSON = "application/json"
_SECONDS = 30
_FORWARDED = ("Accept", "Cache-Control", "Content-Type", "Prefer")
_ANSWERED = ("Content-Type", "Location")


@dataclass(frozen=True, slots=True)
class _Code:
    """The data behind an authorization code, which is valid once."""

    challenge: str
    scope: str
    patient: str


class ProxySettings(Protocol):
    """The settings of a FHIR proxy."""

    fhir: str
    """Base URL of the FHIR server behind it."""

    @property
    def issuer(self) -> str:
        """The FHIR base URL of the proxy itself."""


@dataclass
class DemoEhr:
    """The EHR with its issued codes and tokens."""

    fhir: str
    """Base URL of the FHIR server behind it."""
    redirect: str
    """The only allowed redirect address."""
    address: str = ""
    codes: dict[str, _Code] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)

    @property
    def issuer(self) -> str:
        """The FHIR base URL for launching apps."""
        return f"{self.address}/fhir"

    def configuration(self) -> dict[str, object]:
        """The SMART configuration."""
        return {
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "code_challenge_methods_supported": ["S256"],
            "capabilities": ["launch-ehr", "launch-standalone", "client-public", "context-ehr-patient"],
        }

    def redirect_address(self, parameters: Mapping[str, str]) -> str:
        """The redirect address with a new code."""
        code = secrets.token_urlsafe(24)
        self.codes[code] = _Code(
            challenge=parameters.get("code_challenge", ""),
            scope=parameters.get("scope", ""),
            patient=parameters.get("launch", FIRST_PATIENT),
        )
        return f"{self.redirect}?{urlencode({'code': code, 'state': parameters.get('state', '')})}"

    def token(self, form: Mapping[str, str]) -> dict[str, object] | None:
        """The token response for a code with a matching PKCE verifier; ``None`` otherwise."""
        code = self.codes.pop(form.get("code", ""), None)
        proof = challenge(form.get("code_verifier", ""))
        if code is None or code.challenge != proof or form.get("redirect_uri") != self.redirect:
            return None
        token = secrets.token_urlsafe(24)
        self.tokens.add(token)
        return {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": code.scope,
                "patient": code.patient}  # fmt: skip


class FhirProxy(BaseHTTPRequestHandler):
    """A proxy to a FHIR server: forwards requests and replaces the addresses in its responses with its own."""

    protocol_version = "HTTP/1.1"
    ehr: ProxySettings

    def parse_request(self) -> bool:
        """Refuse a request line that RFC 3986 does not allow, as the FHIR server does."""
        parsed = super().parse_request()
        if parsed and not is_valid_target(self.path.encode("latin-1")):
            self.send_error(HTTPStatus.BAD_REQUEST)
            return False
        return parsed

    def forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """The response of the FHIR server: status, headers and body; 502 if it does not answer."""
        fhir, issuer = self.ehr.fhir, self.ehr.issuer
        address = urlsplit(fhir)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_SECONDS)
        headers = {name: self.headers[name] for name in _FORWARDED if name in self.headers}
        try:
            connection.request(self.command, address.path + self.path.removeprefix("/fhir"), body or None, headers)
            answer = connection.getresponse()
            content = answer.read().replace(fhir.encode(), issuer.encode())
        except (OSError, http.client.HTTPException):
            return HTTPStatus.BAD_GATEWAY, {"Content-Type": _JSON}, b"{}"
        finally:
            connection.close()
        response_headers = {
            name: value.replace(fhir, issuer) for name in _ANSWERED if (value := answer.getheader(name))
        }
        return answer.status, response_headers, content

    def token_of(self) -> str:
        """The access token of the request."""
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def body(self) -> bytes:
        """The whole body."""
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def json(self, body: Mapping[str, object], status: int = HTTPStatus.OK) -> None:
        """Answer with JSON."""
        self.answer(status, {"Content-Type": _JSON}, msgspec.json.encode(body))

    def answer(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Answer, with the length of the body."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature is the base class's
        """Log nothing: addresses contain patient ids."""


class _Handler(FhirProxy):
    ehr: DemoEhr

    def do_GET(self) -> None:
        """Answer the SMART configuration and the sign-in, or forward to the FHIR server."""
        path = urlsplit(self.path)
        if path.path == "/fhir/.well-known/smart-configuration":
            self.json(self.ehr.configuration())
        elif path.path == "/authorize":
            parameters = dict(parse_qsl(path.query))
            if (parameters.get("client_id"), parameters.get("redirect_uri")) == (CLIENT_ID, self.ehr.redirect):
                self.answer(HTTPStatus.FOUND, {"Location": self.ehr.redirect_address(parameters)})
            else:
                self.json({"error": "unauthorized_client"}, HTTPStatus.BAD_REQUEST)
        else:
            self._forward(b"")

    def do_POST(self) -> None:
        """Exchange a code for a token, or forward to the FHIR server."""
        body = self.body()
        if self.path != "/token":
            self._forward(body)
            return
        token = self.ehr.token(dict(parse_qsl(body.decode(errors="replace"))))
        self.json(token or {"error": "invalid_grant"}, HTTPStatus.OK if token else HTTPStatus.BAD_REQUEST)

    def _forward(self, body: bytes) -> None:
        """Forward to the FHIR server if the request has a valid token."""
        if not self.path.startswith("/fhir/"):
            self.json({}, HTTPStatus.NOT_FOUND)
        elif self.token_of() not in self.ehr.tokens:
            self.json({}, HTTPStatus.UNAUTHORIZED)
        else:
            self.answer(*self.forward(body))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    """A page sends a dozen requests at once; a connection that does not fit into the queue waits for a second."""


@contextmanager
def serving(handler: type[FhirProxy]) -> Iterator[str]:
    """Run a proxy in a thread on a free port of loopback; yields its address."""
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def demo_ehr(fhir: str, redirect: str) -> Iterator[DemoEhr]:
    """Run the demo EHR; ``fhir`` is the base URL of the server with the patients.

    ``redirect`` is the callback address of the app.
    """
    ehr = DemoEhr(fhir, redirect)
    with serving(type("Handler", (_Handler,), {"ehr": ehr})) as address:
        ehr.address = address
        yield ehr
