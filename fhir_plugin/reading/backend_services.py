"""Access tokens for a program without a user: SMART Backend Services with asymmetric client authentication.

The FHIR server names its token endpoint; the client sends it a signed assertion, used once and valid for minutes.
Source: https://hl7.org/fhir/smart-app-launch/backend-services.html and client-confidential-asymmetric.html.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from fhir_plugin.errors import BadInput, PermanentlyUnavailable, RecordUnavailable, TemporarilyUnavailable
from fhir_plugin.reading.addresses import is_confidential
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.reading.urls import normal_base_url
from fhir_plugin.record import lenient

ALGORITHMS = {"P-384": "ES384", "RSA": "RS384"}
"""The algorithms that every such server must support, by type of key."""
LIFETIME_SECONDS = 300
"""The maximum lifetime of an assertion."""
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MAX_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A registered client and its private signing key."""

    client_id: str
    key: ECKey | RSAKey = field(repr=False)

    @property
    def algorithm(self) -> str:
        """The signature algorithm that goes with the key."""
        return ALGORITHMS[self.key.curve_name if isinstance(self.key, ECKey) else "RSA"]


class SmartConfiguration(msgspec.Struct, frozen=True):
    """The SMART configuration of a FHIR server."""

    token_endpoint: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("private_key_jwt",)


class TokenResponse(msgspec.Struct, frozen=True):
    """The token response of an authorization server."""

    access_token: str
    token_type: str


def read_key(client_id: str, path: Path) -> ClientKey:
    """The private key in a file, PEM or JWK; :class:`BadInput` unless servers must support its type."""
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise BadInput(f"{path}: cannot be read: {fault.strerror}") from fault
    key = _key_of(content)
    if key is None or not key.is_private:
        raise BadInput(f"{path}: contains no private key: provide an EC P-384 or RSA key as PEM or JWK")
    if isinstance(key, ECKey) and key.curve_name not in ALGORITHMS:
        raise BadInput(f"{path}: not every server supports the curve {key.curve_name}: use P-384 or RSA")
    return ClientKey(client_id, key)


def _key_of(content: bytes) -> ECKey | RSAKey | None:
    value = lenient.read(content, dict[str, str | list[str]]) or content
    for kind in (ECKey, RSAKey):
        try:
            return kind.import_key(value)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return None


def fetch_token(base_url: str, client: ClientKey, types: Iterable[str], seconds: float) -> str:
    """A token to read resources of those types, for a caller without an event loop.

    :raises RecordUnavailable: the server names no token endpoint, or refuses a token.
    """

    async def fetch() -> str:
        async with FhirServers() as servers:
            return await _fetch(normal_base_url(base_url), client, types, servers, seconds)

    return asyncio.run(fetch())


async def _fetch(base_url: str, client: ClientKey, types: Iterable[str], servers: FhirServers, seconds: float) -> str:
    response = await servers.fetch(f"{base_url}/.well-known/smart-configuration", _MAX_BYTES, seconds)
    configuration = lenient.read(response.body, SmartConfiguration)
    if configuration is None:
        raise _unavailable("the server does not name a token endpoint", response.outcome, temporary=response.temporary)
    if "private_key_jwt" not in configuration.token_endpoint_auth_methods_supported:
        raise PermanentlyUnavailable("the server does not support client authentication by key (private_key_jwt)")
    endpoint = configuration.token_endpoint
    if not is_confidential(endpoint):
        raise PermanentlyUnavailable("the token endpoint of the server is not https")
    response = await servers.fetch(endpoint, _MAX_BYTES, seconds, _form(client, endpoint, types))
    token = lenient.read(response.body, TokenResponse)
    if token is None or token.token_type.lower() != "bearer":
        raise _unavailable("the server issued no token", response.outcome, temporary=response.temporary)
    return token.access_token


def _form(client: ClientKey, endpoint: str, types: Iterable[str]) -> Mapping[str, str]:
    scope = " ".join(f"system/{kind}.rs" for kind in sorted(set(types)))
    return {"grant_type": "client_credentials", "scope": scope, **signed_form(client, endpoint)}


def signed_form(client: ClientKey, endpoint: str) -> Mapping[str, str]:
    """The form fields that authenticate a client at that token endpoint."""
    return {"client_assertion_type": _ASSERTION, "client_assertion": _assertion(client, endpoint)}


def _assertion(client: ClientKey, endpoint: str) -> str:
    header = {"alg": client.algorithm, "typ": "JWT", "kid": client.key.kid or client.key.thumbprint()}
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": endpoint,
        "exp": int(time.time()) + LIFETIME_SECONDS,
        "jti": str(uuid.uuid4()),
    }
    return jwt.encode(header, claims, client.key, algorithms=[client.algorithm])


def _unavailable(what: str, outcome: str, *, temporary: bool) -> RecordUnavailable:
    kind = TemporarilyUnavailable if temporary else PermanentlyUnavailable
    return kind(f"{what} ({outcome})")
