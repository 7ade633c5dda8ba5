"""Clients as a site configures them, their keys, and tokens as they, or an attacker, would make them."""

from __future__ import annotations

import base64
import hmac
import json
import time
import uuid
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OctKey, RSAKey
from joserfc.jws import JWSRegistry
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.clients.replays.file import FileReplayStore
from cds_hooks.settings.clients import Client
from cds_hooks.settings.settings import Settings
from tests.support.hooks.calls import DAY, ORDER_SIGN, knowledge

BASE = "https://tandem.example"
ISSUER, OTHER_ISSUER, SHARED_ISSUER = "https://ehr.example/oauth2", "https://other.example", "https://cloud.example"
JKU = "https://ehr.example/oauth2/jwks.json"
AUDIENCE = BASE + ORDER_SIGN


@cache
def keys() -> dict[str, Key]:
    """Private keys by kid, made once; what is in the set of the first client and what is not."""
    return {
        "ec-1": ECKey.generate_key("P-384", {"kid": "ec-1", "use": "sig", "alg": "ES384"}),
        "rsa-1": RSAKey.generate_key(2048, {"kid": "rsa-1"}),
        "ec-256": ECKey.generate_key("P-256", {"kid": "ec-256"}),
        "for-encryption": ECKey.generate_key("P-384", {"kid": "for-encryption", "use": "enc"}),
        "for-rs256": RSAKey.generate_key(2048, {"kid": "for-rs256", "alg": "RS256"}),
        "cannot-verify": ECKey.generate_key("P-384", {"kid": "cannot-verify", "key_ops": ["sign"]}),
        "weak": weak_key(),
        "secret": OctKey.generate_key(384, {"kid": "secret"}),
        "stranger": ECKey.generate_key("P-384", {"kid": "ec-1"}),
        "strange-rsa": RSAKey.generate_key(2048, {"kid": "rsa-1"}),
        "other": ECKey.generate_key("P-384", {"kid": "other-1"}),
        "lonely": ECKey.generate_key("P-384", {"kid": "lonely"}),
    }


def weak_key() -> RSAKey:
    """An RSA key of 1024 bits, which can be broken."""
    with pytest.warns(SecurityWarning):
        return RSAKey.generate_key(1024, {"kid": "weak"})


OF_THE_CLIENT = ("ec-1", "rsa-1", "ec-256", "for-encryption", "for-rs256", "cannot-verify", "weak", "secret")


@cache
def folder() -> Path:
    """Where the key sets of the tests lie."""
    return Path(mkdtemp(prefix="tandem-trust-"))


def key_set(*kids: str) -> str:
    """A file with the public keys of those ids, and one of a type that nobody knows."""
    listed = [keys()[kid].as_dict(private=kid == "secret") for kid in kids]
    file = folder() / f"{'-'.join(kids)}.json"
    file.write_text(json.dumps({"keys": [{"kty": "AKP", "kid": "tomorrow"}, *listed]}))
    return str(file)


def client(name: str, *kids: str, **changes: Any) -> Client:
    """A configured client."""
    given = {"issuer": f"https://{name}.example", "audience_base": BASE, "mode": "live"} | changes
    return Client(name=name, key_set=key_set(*kids), **given)


@cache
def clients() -> tuple[Client, ...]:
    """Two hospitals, two tenants of one issuer, and one of older ways."""
    return (
        client("general", *OF_THE_CLIENT, issuer=ISSUER, jku=JKU, fhir_servers=("https://ehr.example/fhir",)),
        client("other", "other", issuer=OTHER_ISSUER, fhir_servers=("https://other.example/fhir",)),
        client("north", "ec-1", issuer=SHARED_ISSUER, tenant="north"),
        client("south", "ec-1", issuer=SHARED_ISSUER, tenant="south"),
        client(
            "lonely", "lonely", kid_required=False, audience_may_end_in_slash=True, audience_base=f"{BASE}/",
            algorithms=("ES384",), allowed_origins=("https://app.example",), leeway_seconds=0,
        ),
        client("elder", "rsa-1", "ec-256", algorithms=("RS256", "ES256", "PS384"), lifetime_seconds=86_400),
    )  # fmt: skip


def recorded() -> Path:
    """A replay store in which every use stands since 1970, so that a token may be as old as its lifetime allows."""
    file = folder() / f"{uuid.uuid4()}.sqlite"
    FileReplayStore(file, lambda: 0).close()
    return file


def service(*configured: Client, **changes: Any) -> TestClient:
    """The service for these clients, in process."""
    if "replay_store" not in changes:
        changes["replay_store"] = recorded()
    return TestClient(create_app(Settings(clients=configured, **changes), knowledge(), today=lambda: DAY))


def header(**changes: Any) -> dict[str, Any]:
    """A good header, changed; ``...`` takes a member away."""
    return _changed({"alg": "ES384", "kid": "ec-1", "typ": "JWT"}, changes)


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims, changed; ``...`` takes a member away."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 300, "jti": str(uuid.uuid4())}
    return _changed(good, changes)


def _changed(members: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (members | changes).items() if value is not ...}


def encoded(content: bytes) -> bytes:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def written(content: Any) -> bytes:
    """JSON, where it is not bytes already."""
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def signed(
    head: dict[str, Any] | bytes | None = None,
    payload: dict[str, Any] | bytes | None = None,
    key: str | bytes | Key = "ec-1",
    alg: str = "ES384",
) -> str:
    """A token of any header and payload, signed with that key by that algorithm, whatever the header says.

    Bytes are a shared secret: what an attacker makes of a public key.
    """
    first = encoded(written(header() if head is None else head))
    signing = first + b"." + encoded(written(claims() if payload is None else payload))
    if isinstance(key, bytes):
        signature = hmac.digest(key, signing, alg.replace("HS", "sha"))
    else:
        signature = JWSRegistry.algorithms[alg].sign(signing, keys()[key] if isinstance(key, str) else key)
    return (signing + b"." + encoded(signature)).decode()


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}
