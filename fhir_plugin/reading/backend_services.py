"""An access token for a program without a user: SMART Backend Services, the client authenticated by its own key.

The FHIR server says where tokens are had; the client signs who it is for that address, once and for a few minutes.
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
from fhir_plugin.reading.base_url import normal_base_url
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.record import lenient

ALGORITHMS = {"P-384": "ES384", "RSA": "RS384"}
"""Those that every server of this kind must know, by the kind of key."""
LIFETIME_SECONDS = 300
"""The most that an assertion may live."""
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MOST_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A registered client and the private key that it signs with."""

    client_id: str
    key: ECKey | RSAKey = field(repr=False)

    @property
    def algorithm(self) -> str:
        """The signature algorithm that goes with the key."""
        return ALGORITHMS[self.key.curve_name if isinstance(self.key, ECKey) else "RSA"]


class SmartConfiguration(msgspec.Struct, frozen=True):
    """What a FHIR server says of its authorization."""

    token_endpoint: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("private_key_jwt",)


class TokenResponse(msgspec.Struct, frozen=True):
    """A token, as an authorization server gives it."""

    access_token: str
    token_type: str


def read_key(client_id: str, path: Path) -> ClientKey:
    """The private key in a file, PEM or JWK; :class:`BadInput` where it is none that servers must know."""
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise BadInput(f"{path}: cannot be read: {fault.strerror}") from fault
    key = _key_of(content)
    if key is None or not key.is_private:
        raise BadInput(f"{path}: holds no private key: give an EC P-384 or RSA key as PEM or JWK")
    if isinstance(key, ECKey) and key.curve_name not in ALGORITHMS:
        raise BadInput(f"{path}: the curve {key.curve_name} is not one that every server knows: use P-384 or RSA")
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

    :raises RecordUnavailable: the server does not say where tokens are had, or refuses one.
    """

    async def fetch() -> str:
        async with FhirServers() as clients:
            return await _fetch(normal_base_url(base_url), client, types, clients, seconds)

    return asyncio.run(fetch())


async def _fetch(base_url: str, client: ClientKey, types: Iterable[str], clients: FhirServers, seconds: float) -> str:
    found = await clients.fetch(f"{base_url}/.well-known/smart-configuration", _MOST_BYTES, seconds)
    configuration = lenient.read(found.body, SmartConfiguration)
    if configuration is None:
        raise _unavailable("the server does not say where tokens are had", found.outcome, temporary=found.temporary)
    if "private_key_jwt" not in configuration.token_endpoint_auth_methods_supported:
        raise PermanentlyUnavailable("the server does not let clients authenticate by a key (private_key_jwt)")
    address = configuration.token_endpoint
    if not is_confidential(address):
        raise PermanentlyUnavailable("the server names an address for tokens that is not https")
    answer = await clients.fetch(address, _MOST_BYTES, seconds, _form(client, address, types))
    token = lenient.read(answer.body, TokenResponse)
    if token is None or token.token_type.lower() != "bearer":
        raise _unavailable("no token was given", answer.outcome, temporary=answer.temporary)
    return token.access_token


def _form(client: ClientKey, address: str, types: Iterable[str]) -> Mapping[str, str]:
    scope = " ".join(f"system/{kind}.rs" for kind in sorted(set(types)))
    return {"grant_type": "client_credentials", "scope": scope, **signed_form(client, address)}


def signed_form(client: ClientKey, address: str) -> Mapping[str, str]:
    """The part of a form by which a client shows to that address who it is."""
    return {"client_assertion_type": _ASSERTION, "client_assertion": _assertion(client, address)}


def _assertion(client: ClientKey, address: str) -> str:
    header = {"alg": client.algorithm, "typ": "JWT", "kid": client.key.kid or client.key.thumbprint()}
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": address,
        "exp": int(time.time()) + LIFETIME_SECONDS,
        "jti": str(uuid.uuid4()),
    }
    return jwt.encode(header, claims, client.key, algorithms=[client.algorithm])


def _unavailable(what: str, outcome: str, *, temporary: bool) -> RecordUnavailable:
    kind = TemporarilyUnavailable if temporary else PermanentlyUnavailable
    return kind(f"{what} ({outcome})")
