"""Verification of a signed token against CDS Hooks and the configuration of the client.

A fault raises :class:`TokenRefused` with a reason for the log; the caller is not given the reason. No address that
the token names is ever fetched, and no key that it carries is used (``jwk``, ``x5c``, ``x5u``).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import msgspec
from joserfc.errors import JoseError
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact
from joserfc.util import urlsafe_b64decode
from msgspec import Meta

from cds_hooks.clients.keys import PublicKey
from cds_hooks.settings.clients import Client
from fhir_plugin.record.datatypes import UNDECODABLE


class RefusalReason(StrEnum):
    """The reason for refusing a call, for the log."""

    NO_TOKEN = "no-token"  # noqa: S105 - a reason
    MALFORMED = "malformed"
    DUPLICATE = "duplicate-member"
    TYPE = "type"
    CRITICAL = "critical-header"
    CLAIMS = "claims"
    ISSUER = "issuer"
    TENANT = "tenant"
    ALGORITHM = "algorithm"
    JKU = "jku"
    KEY = "key"
    AUDIENCE = "audience"
    EXPIRED = "expired"
    NOT_YET = "not-yet"
    LIFETIME = "lifetime"
    SIGNATURE = "signature"
    BEFORE_RECORDS = "before-records"
    """It may have been used before uses were recorded: it was issued before the start, or before the store was made."""
    REPLAYED = "replayed"
    ORIGIN = "origin"


class _DuplicateMember(Exception):
    """An object of a token has a member twice."""


class TokenRefused(Exception):
    """The call must not be answered."""

    def __init__(self, reason: RefusalReason, client: str = "") -> None:
        """``client`` is the name of the configured client that the token claims to be from."""
        super().__init__(reason)
        self.reason = reason
        self.client = client


Text = Annotated[str, Meta(min_length=1, max_length=500)]


class TokenHeader(msgspec.Struct, frozen=True):
    """The header parameters that are evaluated."""

    alg: str
    typ: str
    kid: str = ""
    jku: str = ""


class TokenClaims(msgspec.Struct, frozen=True):
    """The claims that are evaluated; times in seconds since 1970."""

    iss: Text
    aud: str | list[str]
    exp: float
    iat: float
    jti: Text
    nbf: float | msgspec.UnsetType = msgspec.UNSET
    tenant: str | None = None


class _Registry(JWSRegistry):
    """Size limits: enough for real headers (a long ``jku``) and real claims, and no more."""

    max_header_length = 4_096
    max_payload_length = 16_384
    max_signature_length = 2_048


LONGEST_TOKEN = _Registry.max_header_length + _Registry.max_payload_length + _Registry.max_signature_length
_ANY = _Registry(strict_check_header=False)
_CLAIMS = msgspec.json.Decoder(TokenClaims)


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A token that was parsed but not verified yet."""

    signed: CompactSignature
    header: TokenHeader
    claims: TokenClaims


def read_token(text: str) -> UnverifiedToken:
    """Parse a token without verifying it."""
    try:
        signed = extract_compact(text.encode("ascii"), registry=_ANY)
        header = msgspec.convert(signed.protected, TokenHeader)
    except (JoseError, msgspec.ValidationError, ValueError, TypeError, RecursionError):
        raise TokenRefused(RefusalReason.MALFORMED) from None
    _check_members(urlsafe_b64decode(signed.segments["header"]))
    # No critical header parameter is supported.
    if not {"crit", "b64"}.isdisjoint(signed.protected):
        raise TokenRefused(RefusalReason.CRITICAL)
    if header.typ.upper() != "JWT":
        raise TokenRefused(RefusalReason.TYPE)
    payload = signed.payload or b""
    _check_members(payload)
    try:
        return UnverifiedToken(signed, header, _CLAIMS.decode(payload))
    except UNDECODABLE:
        raise TokenRefused(RefusalReason.CLAIMS) from None


def _check_members(content: bytes) -> None:
    """Check that no object, at any depth, has a member twice: another reader of the token might take the other one.

    What this reader cannot read is refused even if another could: members that are not evaluated may hold anything.
    """

    def read(members: list[tuple[str, object]]) -> dict[str, object]:
        unique = dict(members)
        if len(unique) < len(members):
            raise _DuplicateMember
        return unique

    try:
        json.loads(content.decode(), object_pairs_hook=read)
    except _DuplicateMember:
        raise TokenRefused(RefusalReason.DUPLICATE) from None
    except (ValueError, RecursionError):
        raise TokenRefused(RefusalReason.CLAIMS) from None


def client_of(token: UnverifiedToken, by_issuer: Mapping[str, Sequence[Client]]) -> Client:
    """The client that the token claims to be from."""
    sharing = by_issuer.get(token.claims.iss)
    if not sharing:
        raise TokenRefused(RefusalReason.ISSUER)
    for client in sharing:
        if client.tenant in (None, token.claims.tenant):
            return client
    raise TokenRefused(RefusalReason.TENANT)


def check_claims(token: UnverifiedToken, client: Client, path: str, now: float) -> None:
    """Check that the token is valid for a call of ``path`` at the time ``now``, within the limits of the client."""
    header, claims = token.header, token.claims
    if header.alg not in client.algorithms:
        raise TokenRefused(RefusalReason.ALGORITHM, client.name)
    if header.jku and client.expected_jku not in (None, header.jku):
        raise TokenRefused(RefusalReason.JKU, client.name)
    if not header.kid and client.kid_required:
        raise TokenRefused(RefusalReason.KEY, client.name)
    if not _audience_matches(claims.aud, client, path):
        raise TokenRefused(RefusalReason.AUDIENCE, client.name)
    if claims.exp <= now - client.leeway_seconds:
        raise TokenRefused(RefusalReason.EXPIRED, client.name)
    if claims.iat > now + client.leeway_seconds:
        raise TokenRefused(RefusalReason.NOT_YET, client.name)
    if claims.nbf is not msgspec.UNSET and claims.nbf > now + client.leeway_seconds:
        raise TokenRefused(RefusalReason.NOT_YET, client.name)
    if not 0 < claims.exp - claims.iat <= client.lifetime_seconds:
        raise TokenRefused(RefusalReason.LIFETIME, client.name)


def check_recorded(token: UnverifiedToken, client: Client, since: float) -> None:
    """Check that the token was not used before the moment ``since``, from which uses are recorded.

    A clock that is ahead by the leeway may have issued, and we have accepted, a younger token before it as well.
    """
    if token.claims.iat < since + client.leeway_seconds:
        raise TokenRefused(RefusalReason.BEFORE_RECORDS, client.name)


def _audience_matches(audience: str | list[str], client: Client, path: str) -> bool:
    audiences = [audience] if isinstance(audience, str) else audience
    expected = client.audience_base + path
    return expected in audiences or (client.audience_may_end_in_slash and f"{expected}/" in audiences)


async def verify(
    token: UnverifiedToken, client: Client, find: Callable[[str | None, str], Awaitable[PublicKey | None]]
) -> None:
    """Check that the client signed the token; ``find`` returns the key for a key id (or none) and an algorithm."""
    key = await find(token.header.kid or None, token.header.alg)
    if key is None:
        raise TokenRefused(RefusalReason.KEY, client.name)
    registry = _Registry(algorithms=client.algorithms, strict_check_header=False)
    try:
        valid = validate_compact(token.signed, key, registry=registry)
    except (JoseError, ValueError, TypeError):
        valid = False
    if not valid:
        raise TokenRefused(RefusalReason.SIGNATURE, client.name)
