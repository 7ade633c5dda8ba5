"""Keys change: a key set is read again, within bounds, from where it was configured and from nowhere else."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.testclient import TestClient

from cds_hooks.clients import key_sources
from cds_hooks.clients.key_sources import FRESH_SECONDS, KEPT_SECONDS, REFETCH_SECONDS, KeySource
from cds_hooks.clients.keys import KeySet, read_key_set
from cds_hooks.telemetry import logs
from fhir_plugin.errors import BadInput
from tests.support.hooks.calls import ORDER_SIGN
from tests.support.trust.signing import bearer, claims, client, header, keys, service, signed

ISSUER = "https://ehr.example"


def published(*kids: str) -> bytes:
    return json.dumps({"keys": [keys()[kid].as_dict(private=False) for kid in kids]}).encode()


@dataclass
class Source:
    """A key set that counts how often it is read; ``None`` fails."""

    kids: tuple[str, ...] | None
    now: float = 1_000.0
    reads: int = 0
    waits: asyncio.Event | None = None

    async def load(self) -> KeySet:
        self.reads += 1
        if self.waits:
            await self.waits.wait()
        if self.kids is None:
            raise BadInput("cannot be read")
        return read_key_set(published(*self.kids))

    def source(self) -> KeySource:
        return KeySource("general", self.load, now=lambda: self.now)


def test_keys_are_read_when_the_first_token_comes_and_then_kept() -> None:
    given = Source(("ec-1",))

    async def go() -> None:
        source = given.source()
        for _ in range(100):
            assert await source.find("ec-1", "ES384")
        assert given.reads == 1

    asyncio.run(go())


def test_an_unknown_key_is_looked_for_once_in_a_while() -> None:
    given = Source(("ec-1",))

    async def go() -> None:
        source = given.source()
        assert await source.find("ec-1", "ES384")
        for _ in range(100):
            assert await source.find("rsa-1", "RS384") is None
        assert given.reads == 1
        given.kids = ("rsa-1",)
        given.now += REFETCH_SECONDS
        assert await source.find("rsa-1", "RS384"), "a key that was added"
        assert await source.find("ec-1", "ES384") is None, "a key that was withdrawn"
        assert given.reads == 2

    asyncio.run(go())


def test_many_calls_at_once_read_the_key_set_once() -> None:
    given = Source(("ec-1",), waits=asyncio.Event())

    async def go() -> None:
        source = given.source()
        calls = [asyncio.create_task(source.find("ec-1", "ES384")) for _ in range(50)]
        await asyncio.sleep(0)
        assert given.waits
        given.waits.set()
        assert all(await asyncio.gather(*calls))
        assert given.reads == 1

    asyncio.run(go())


def test_who_has_a_known_key_does_not_wait_for_a_new_key_set() -> None:
    given = Source(("ec-1",))

    async def go() -> None:
        source = given.source()
        await source.find("ec-1", "ES384")
        given.now += FRESH_SECONDS
        given.waits = asyncio.Event()
        first = asyncio.create_task(source.find("ec-1", "ES384"))
        await asyncio.sleep(0)
        assert await source.find("ec-1", "ES384")
        given.waits.set()
        assert await first
        assert given.reads == 2

    asyncio.run(go())


def test_known_keys_outlive_a_failure_but_not_for_ever() -> None:
    given = Source(("ec-1",))

    async def go() -> None:
        source = given.source()
        await source.find("ec-1", "ES384")
        given.kids = None
        given.now += FRESH_SECONDS
        assert await source.find("ec-1", "ES384")
        given.now += KEPT_SECONDS
        assert await source.find("ec-1", "ES384") is None
        given.kids = ("ec-1",)
        given.now += REFETCH_SECONDS
        assert await source.find("ec-1", "ES384")

    asyncio.run(go())


# Over HTTP


@dataclass
class Published:
    """A key set at an address."""

    port: int = 0
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[Any] = field(default_factory=list)


@contextmanager
def key_server() -> Iterator[Published]:
    given = Published()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given.seen.append((self.path, dict(self.headers)))
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(given.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        given.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield given
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def guarded(given: Published) -> Iterator[Callable[..., int]]:
    """The service of a client whose keys are at that address; a call gives its status."""
    address = f"http://127.0.0.1:{given.port}/keys?policy=1"
    configured = client("general", "ec-1", issuer=ISSUER).model_copy(update={"key_set": address})
    with TestClient(service(configured).app) as called:

        def call(kid: str, alg: str = "ES384", key: str | None = None, **more: Any) -> int:
            token = signed(header(kid=kid, alg=alg, **more), claims(iss=ISSUER), key or kid, alg)
            return called.post(ORDER_SIGN, content=b"{}", headers=bearer(token)).status_code

        yield call


def test_a_key_set_is_fetched_and_a_new_key_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with key_server() as given, guarded(given) as call:
        given.body = published("ec-1")
        assert [call("ec-1"), call("ec-1")] == [400, 400]
        assert call("rsa-1", "RS384") == 401
        assert len(given.seen) == 1
        path, headers = given.seen[0]
        assert path == "/keys?policy=1"
        assert headers["Accept"] == "application/json"
        assert "Authorization" not in headers
        given.body = published("ec-1", "rsa-1")
        monkeypatch.setattr(key_sources, "REFETCH_SECONDS", 0)
        assert [call("rsa-1", "RS384"), call("ec-1")] == [400, 400]
        assert len(given.seen) == 2


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (404, b"", {}),
        (500, b"", {}),
        (302, b"", {"Location": "http://127.0.0.1:{canary}/keys"}),
        (200, b"", {}),
        (200, b"<html>", {}),
        (200, b"[]", {}),
        (200, b'{"keys": []}', {}),
        (200, b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "ec-1"}]}', {}),
        (200, b'{"keys": [' + b"0," * 200_000 + b"0]}", {}),
        (200, b"[" * 150_000, {}),
        (200, b"\x1f\x8b broken", {"Content-Encoding": "gzip"}),
    ],
)
def test_a_key_set_that_cannot_be_had_lets_nobody_in(
    status: int, body: bytes, headers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with key_server() as given, key_server() as canary, guarded(given) as call:
        logs.configure("info", "json")
        given.status, given.body = status, body
        given.headers = {name: value.format(canary=canary.port) for name, value in headers.items()}
        canary.body = published("ec-1")
        assert call("ec-1") == 401
        assert canary.seen == []
        said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        assert any(line["event"] == "key set cannot be read" and line["tenant"] == "general" for line in said)


def test_what_a_token_names_is_never_fetched() -> None:
    with key_server() as given, key_server() as canary, guarded(given) as call:
        given.body = published("ec-1")
        canary.body = json.dumps({"keys": [keys()["stranger"].as_dict(private=False)]}).encode()
        rogue = f"http://127.0.0.1:{canary.port}/keys"
        assert call("ec-1", key="stranger", jku=rogue) == 401
        assert call("ec-1", key="stranger", x5u=rogue) == 401
        assert call("nobody", key="stranger", jku=rogue) == 401
        assert call("ec-1", jku=f"http://127.0.0.1:{given.port}/keys?policy=1") == 400
        assert canary.seen == []


def test_a_key_set_that_grows_without_end_is_given_up() -> None:
    with key_server() as given, guarded(given) as call:
        given.body = b'{"keys": [' + b" " * key_sources.MOST_BYTES
        assert call("ec-1") == 401


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"keys": {}}', b'{"keys": [1]}', b'{"keys": [{"kty": "EC"}]}', b"\xff",
     b'{"keys": [{"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}]}',
     b'{"keys": [{"kty": "RSA", "n": "' + b"A" * 400 + b'", "e": "AQAB"}]}',
     b'{"keys": [' + b",".join([b'{"kty": "EC"}'] * 101) + b"]}"],
)  # fmt: skip
def test_what_is_no_key_set_is_refused(content: bytes) -> None:
    with pytest.raises(BadInput):
        read_key_set(content)


def test_a_private_key_is_no_key_to_verify_with() -> None:
    with pytest.raises(BadInput, match="no public key"):
        read_key_set(json.dumps({"keys": [keys()["ec-1"].as_dict(private=True)]}).encode())
