"""A FHIR server that asks for a token, and the authorization server that gives one to a client with the right key."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key

from cds_hooks.demo.strictness import is_valid_target
from tests.support.reading.material import PATIENT, bundle, patient, resource, to_bytes

TOKEN = "earned-token"


@dataclass
class Authorization:
    """What the server is told, and what it heard."""

    key: Key
    client_id: str = "tandem"
    algorithms: tuple[str, ...] = ("ES384", "RS384")
    configuration: dict[str, Any] = field(default_factory=dict)
    """Members that stand in the place of the right ones."""
    seen: set[str] = field(default_factory=set)
    scopes: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Paths, in their order."""
    base: str = ""

    def give(self, form: dict[str, list[str]]) -> dict[str, str] | None:
        """A token for a good assertion, else nothing."""
        given = {name: values[0] for name, values in form.items()}
        try:
            token = jwt.decode(given["client_assertion"], self.key, algorithms=list(self.algorithms))
        except (JoseError, ValueError, KeyError):
            return None
        claims, now = token.claims, time.time()
        good = (
            given["grant_type"] == "client_credentials"
            and given["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            and claims["iss"] == claims["sub"] == self.client_id
            and claims["aud"] == f"{self.base}/token"
            and now < claims["exp"] <= now + 300
            and claims["jti"] not in self.seen
            and token.header["kid"]
            and token.header["typ"] == "JWT"
        )
        self.seen.add(claims["jti"])
        self.scopes = given["scope"].split()
        return {"access_token": TOKEN, "token_type": "bearer", "expires_in": "300"} if good else None


class _Handler(BaseHTTPRequestHandler):
    authorization: Authorization

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        if parsed and not is_valid_target(self.path.encode("latin-1")):
            self.send_error(400)
            return False
        return parsed

    def do_GET(self) -> None:
        self.authorization.asked.append(self.path)
        kind = urlsplit(self.path).path.removeprefix("/fhir/").partition("/")[0]
        if self.path == "/fhir/.well-known/smart-configuration":
            right = {"token_endpoint": f"{self.authorization.base}/token",
                     "token_endpoint_auth_methods_supported": ["private_key_jwt"]}  # fmt: skip
            self._send(json.dumps(right | self.authorization.configuration).encode())
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._send(b"{}", 401)
        else:
            self._send(to_bytes(patient(PATIENT)) if kind == "Patient" else bundle(resource(kind)))

    def do_POST(self) -> None:
        self.authorization.asked.append(self.path)
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        given = self.authorization.give(form) if self.path == "/token" else None
        self._send(json.dumps(given or {"error": "invalid_client"}).encode(), 200 if given else 400)

    def _send(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature is the base class's
        """Nothing: the tests look at what was asked."""


@contextmanager
def guarded_server(authorization: Authorization) -> Iterator[str]:
    """Run both servers; gives the base URL of the FHIR server."""
    handler = type("Handler", (_Handler,), {"authorization": authorization})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        authorization.base = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"{authorization.base}/fhir"
        finally:
            server.shutdown()
            thread.join()
