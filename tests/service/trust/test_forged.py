"""Forged tokens: none is accepted, each is refused for its own reason, and the caller is told none."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import utils
from joserfc.jwk import ECKey, Key
from starlette.testclient import TestClient

from cds_hooks.telemetry import logs
from tests.support.hooks.calls import ORDER_SIGN, PATIENT_VIEW
from tests.support.trust.signing import (
    AUDIENCE,
    BASE,
    ISSUER,
    JKU,
    OTHER_ISSUER,
    SHARED_ISSUER,
    bearer,
    claims,
    clients,
    encoded,
    header,
    keys,
    service,
    signed,
)


@cache
def guarded() -> TestClient:
    return service(*clients())


def pem() -> bytes:
    return keys()["rsa-1"].as_pem(private=False)


def jwk() -> bytes:
    return json.dumps(keys()["ec-1"].as_dict(private=False)).encode()


def with_part(token: str, place: int, content: bytes) -> str:
    """The token with one of its three parts exchanged."""
    parts = token.split(".")
    parts[place] = encoded(content).decode()
    return ".".join(parts)


def in_der(token: str) -> str:
    """The same signature, written as certificates write it."""
    signature = base64.urlsafe_b64decode(token.rpartition(".")[2])
    r, s = (int.from_bytes(each) for each in (signature[:48], signature[48:]))
    return with_part(token, 2, utils.encode_dss_signature(r, s))


OWN = ECKey.generate_key("P-384", {"kid": "mine"})
OWN_PUBLIC = OWN.as_dict(private=False)
HEAD = b'{"typ":"JWT","kid":"ec-1",'
ORDER = int(
    "39402006196394479212279040100143613805079739270465446667946905279627659399113263569398956308152294913554433653942643"
).to_bytes(48)
"""Of the curve P-384: a signature of r = s = n was once accepted by a well-known library."""
AN_HOUR = 3600
AN_HOUR = 3600
Forged = tuple[str, Callable[[], str]]


def by_header(reason: str, key: str | bytes | Key = "ec-1", by: str = "ES384", **changes: Any) -> Forged:
    """Good claims under a changed header, signed with ``key`` by the algorithm ``by``."""
    return reason, lambda: signed(header(**changes), key=key, alg=by)


def by_raw_header(reason: str, content: bytes, key: str = "ec-1") -> Forged:
    return reason, lambda: signed(content, key=key)


def by_claims(reason: str, **changes: Any) -> Forged:
    """Changed claims, signed well; a function gives its value when the token is made."""
    return reason, lambda: signed(payload=claims(**{n: v() if callable(v) else v for n, v in changes.items()}))


def by_payload(reason: str, content: bytes) -> Forged:
    return reason, lambda: signed(payload=content)


def by_twice(name: str) -> Forged:
    """Good claims with a member that stands twice: the last is the good one."""

    def make() -> str:
        good = {name: "x", **claims()}
        return signed(payload=b'{%s: "x", ' % json.dumps(name).encode() + json.dumps(good).encode()[1:])

    return "duplicate-member", make


def by_unreadable(more: bytes) -> Forged:
    """Two audiences, and a member that one reader skips and another cannot read."""
    return "claims", lambda: signed(payload=b'{"aud": "x", "more": %s, ' % more + json.dumps(claims()).encode()[1:])


def by_text(reason: str, change: Callable[[str], str]) -> Forged:
    """A good token, its text changed."""
    return reason, lambda: change(signed())


def soon(seconds: float) -> Callable[[], float]:
    return lambda: time.time() + seconds


FORGED: dict[str, Forged] = {
    # The algorithm is the attacker's choice
    "none without signature": ("algorithm", lambda: signed(header(alg="none")).rpartition(".")[0] + "."),
    "none with a signature": by_header("algorithm", alg="none"),
    "None": by_header("algorithm", alg="None"),
    "NONE": by_header("algorithm", alg="NONE"),
    "nOnE": by_header("algorithm", alg="nOnE"),
    "HS256 with the public key as PEM": by_header("algorithm", pem(), "HS256", alg="HS256", kid="rsa-1"),
    "HS384 with the public key as PEM": by_header("algorithm", pem(), "HS384", alg="HS384", kid="rsa-1"),
    "HS512 with the public key as PEM": by_header("algorithm", pem(), "HS512", alg="HS512", kid="rsa-1"),
    "HS256 with the public key as JWK": by_header("algorithm", jwk(), "HS256", alg="HS256"),
    "HS384 with a secret of the key set": by_header("algorithm", "secret", "HS384", alg="HS384", kid="secret"),
    "ES384 claimed for a secret of the key set": by_header("key", "secret", "HS384", kid="secret"),
    "RS256 where it is not allowed": by_header("algorithm", "rsa-1", "RS256", alg="RS256", kid="rsa-1"),
    "PS384 where it is not allowed": by_header("algorithm", "rsa-1", "PS384", alg="PS384", kid="rsa-1"),
    "ES256 where it is not allowed": by_header("algorithm", "ec-256", "ES256", alg="ES256", kid="ec-256"),
    "an algorithm in small letters": by_header("algorithm", alg="es384"),
    "an algorithm for encryption": by_header("algorithm", alg="RSA-OAEP"),
    "no algorithm": by_header("malformed", alg=...),
    "null for an algorithm": by_header("malformed", alg=None),
    "a list of algorithms": by_header("malformed", alg=["ES384"]),
    "the second of two algorithms is none": by_raw_header("duplicate-member", HEAD + b'"alg":"ES384","alg":"none"}'),
    "the first of two algorithms is none": by_raw_header(
        "duplicate-member", HEAD + b'"alg":"none","alg":"ES384"}', "stranger"
    ),
    "a member of the header twice, alike": by_raw_header("duplicate-member", HEAD + b'"alg":"ES384","alg":"ES384"}'),
    "a member of the header twice, once escaped": by_raw_header(
        "duplicate-member", HEAD + b'"alg":"ES384","\\u0061lg":"ES384"}'
    ),
    "a member twice within a member of the header": by_raw_header(
        "duplicate-member", HEAD + b'"alg":"ES384","jwk":{"kid":"a","kid":"b"}}'
    ),
    # The key is the attacker's choice
    "another key under the same kid": by_header("signature", "stranger"),
    "another RSA key under the same kid": by_header("signature", "strange-rsa", "RS384", alg="RS384", kid="rsa-1"),
    "the key of another client": by_header("key", "other", kid="other-1"),
    "the claims of another client": by_claims("key", iss=OTHER_ISSUER),
    "the tenant of nobody": by_claims("tenant", iss=SHARED_ISSUER, tenant="west"),
    "no tenant where there must be one": by_claims("tenant", iss=SHARED_ISSUER),
    "its own key embedded": by_header("signature", OWN, jwk=OWN_PUBLIC),
    "its own key embedded, by its own id": by_header("key", OWN, jwk=OWN_PUBLIC, kid="mine"),
    "its own key embedded, without an id": by_header("key", OWN, jwk=OWN_PUBLIC, kid=...),
    "its own certificates": by_header("signature", "stranger", x5c=["MIIB"], x5t="abc"),
    "an address of certificates": by_header("signature", "stranger", x5u="https://evil.example/cert"),
    "certificates that are a number": by_header("signature", x5c=7),
    "another jku": by_header("jku", jku="https://evil.example/jwks.json"),
    "a jku that begins like ours": by_header("jku", jku=f"{JKU}.evil.example"),
    "a jku that ends like ours": by_header("jku", jku=f"https://evil.example/?{JKU}"),
    "a jku with ours as its user": by_header("jku", jku="https://ehr.example@evil.example/oauth2/jwks.json"),
    "a jku over http": by_header("jku", jku=JKU.replace("https", "http")),
    "a jku of another port": by_header("jku", jku=JKU.replace("example/", "example:444/")),
    "a jku that is a number": by_header("malformed", jku=7),
    "an unknown kid": by_header("key", kid="nobody"),
    "no kid": by_header("key", kid=...),
    "null for a kid": by_header("malformed", kid=None),
    "an empty kid": by_header("key", kid=""),
    "a number for a kid": by_header("malformed", kid=1),
    "a kid that climbs": by_header("key", kid="../../../../dev/null"),
    "a kid that is SQL": by_header("key", kid="x' UNION SELECT 'key"),
    "an RSA key under ES384": by_header("key", kid="rsa-1"),
    "an EC key under RS384": by_header("key", "rsa-1", "RS384", alg="RS384"),
    "a P-256 key under ES384": by_header("key", "ec-256", "ES256", kid="ec-256"),
    "a key that is for encryption": by_header("key", "for-encryption", kid="for-encryption"),
    "a key that is for signing only": by_header("key", "cannot-verify", kid="cannot-verify"),
    "a key that is for another algorithm": by_header("key", "for-rs256", "RS384", alg="RS384", kid="for-rs256"),
    "a key that is too short": by_header("key", "weak", "RS384", alg="RS384", kid="weak"),
    # The signature
    "claims changed after signing": by_text(
        "signature", lambda good: with_part(good, 1, json.dumps(claims()).encode())
    ),
    "header changed after signing": by_text(
        "signature", lambda good: with_part(good, 0, json.dumps(header()).encode() + b" ")
    ),
    "no signature": by_text("signature", lambda good: with_part(good, 2, b"")),
    "half a signature": by_text("signature", lambda good: good[:-64]),
    "a signature of zeros": by_text("signature", lambda good: with_part(good, 2, bytes(96))),
    "a signature of the order of the curve": by_text("signature", lambda good: with_part(good, 2, ORDER * 2)),
    "a signature of ones": by_text("signature", lambda good: with_part(good, 2, b"\xff" * 96)),
    "a signature in DER": by_text("signature", in_der),
    "a signature with something behind it": by_text("signature", lambda good: good + "AAAA"),
    "a signature with padding": by_text("signature", lambda good: good + "="),
    # What would have to be understood
    "crit that nobody knows": by_header("critical-header", crit=["exp"], exp=1),
    "crit that is empty": by_header("critical-header", crit=[]),
    "crit that is a text": by_header("critical-header", crit="b64"),
    "crit for a member that is known": by_header("critical-header", crit=["kid"]),
    "b64 switched off": by_header("critical-header", b64=False, crit=["b64"]),
    "b64 switched off without crit": by_header("malformed", b64=False),
    "b64 on its own": by_header("critical-header", b64=True),
    "no typ": by_header("malformed", typ=...),
    "a typ that is no token": by_header("type", typ="JWS"),
    "an access token": by_header("type", typ="at+jwt"),
    "null for a typ": by_header("malformed", typ=None),
    # From whom, for whom
    "no issuer": by_claims("claims", iss=...),
    "an unknown issuer": by_claims("issuer", iss="https://evil.example"),
    "an issuer in capitals": by_claims("issuer", iss=ISSUER.upper()),
    "an issuer with a slash": by_claims("issuer", iss=f"{ISSUER}/"),
    "a list of issuers": by_claims("claims", iss=[ISSUER]),
    "an empty issuer": by_claims("claims", iss=""),
    "no audience": by_claims("claims", aud=...),
    "the audience of another service": by_claims("audience", aud=BASE + PATIENT_VIEW),
    "the audience of discovery": by_claims("audience", aud=f"{BASE}/cds-services"),
    "the audience of the feedback": by_claims("audience", aud=f"{AUDIENCE}/feedback"),
    "the base for an audience": by_claims("audience", aud=BASE),
    "another host": by_claims("audience", aud=f"https://evil.example{ORDER_SIGN}"),
    "an audience over http": by_claims("audience", aud=AUDIENCE.replace("https", "http")),
    "an audience with a slash": by_claims("audience", aud=f"{AUDIENCE}/"),
    "an audience with a query": by_claims("audience", aud=f"{AUDIENCE}?a=b"),
    "an audience with a port": by_claims("audience", aud=AUDIENCE.replace("example", "example:443")),
    "an audience in capitals": by_claims("audience", aud=AUDIENCE.upper()),
    "an audience for everybody": by_claims("audience", aud="*"),
    "a name for an audience": by_claims("audience", aud="sand_man"),
    "no audience in the list": by_claims("audience", aud=[]),
    "others in the list": by_claims("audience", aud=[BASE, f"{BASE}/cds-services"]),
    "a list within the list": by_claims("claims", aud=[[AUDIENCE]]),
    "an object for an audience": by_claims("claims", aud={AUDIENCE: True}),
    **{f"{name} twice": by_twice(name) for name in ("iss", "aud", "exp", "iat", "jti", "nbf", "tenant", "patient")},
    "two audiences beside a number of 5,000 digits": by_unreadable(b"9" * 5_000),
    "two audiences beside a text that is not UTF-8": by_unreadable(b'"\xff"'),
    "two audiences beside a name that is not UTF-8": by_unreadable(b'{"\xff": 1}'),
    "two audiences beside half a surrogate in UTF-8": by_unreadable(b'"\xed\xa0\x80"'),
    "two audiences beside deep lists": by_unreadable(b"[" * 2_000 + b"]" * 2_000),
    "a member twice, deep within": by_payload("duplicate-member", b'{"a":[{"b":{"c":1,"\\u0063":2}}]}'),
    # When
    "no exp": by_claims("claims", exp=...),
    "exp passed": by_claims("expired", exp=soon(-61), iat=soon(-300)),
    "exp passed long ago": by_claims("expired", exp=1, iat=0),
    "exp as a text": by_claims("claims", exp="9999999999"),
    "exp that is true": by_claims("claims", exp=True),
    "exp that is null": by_claims("claims", exp=None),
    "exp that is no number": by_claims("claims", exp=float("nan")),
    "exp that never comes": by_claims("claims", exp=float("inf")),
    "exp beyond every number": by_payload("claims", json.dumps(claims(exp=0)).replace(" 0,", " 1e999,").encode()),
    "exp of 400 digits": by_payload("claims", json.dumps(claims(exp=0)).replace(" 0,", f" {10**400},").encode()),
    "exp of minus nothing": by_claims("expired", exp=-0.0),
    "iat of minus nothing": by_claims("lifetime", iat=-0.0),
    "exp beyond all time": by_claims("lifetime", exp=1e308),
    "iat before all time": by_claims("lifetime", iat=-1e308),
    "nbf beyond all time": by_claims("not-yet", nbf=1e308),
    "iat that is true": by_claims("claims", iat=True),
    "nbf that is false": by_claims("claims", nbf=False),
    "ten years": by_claims("lifetime", exp=soon(3650 * 86400)),
    "two seconds more than an hour": by_claims("lifetime", exp=soon(AN_HOUR + 2)),
    "a long life made to look short": by_claims("not-yet", iat=soon(86400), exp=soon(86700)),
    "no iat": by_claims("claims", iat=...),
    "iat in the future": by_claims("not-yet", iat=soon(90)),
    "iat as a text": by_claims("claims", iat="now"),
    "iat after exp": by_claims("lifetime", iat=soon(50), exp=soon(40)),
    "nbf in the future": by_claims("not-yet", nbf=soon(90)),
    "nbf as a text": by_claims("claims", nbf="now"),
    "nbf that is null": by_claims("claims", nbf=None),
    "no jti": by_claims("claims", jti=...),
    "an empty jti": by_claims("claims", jti=""),
    "a jti that is a number": by_claims("claims", jti=7),
    "a jti of a thousand letters": by_claims("claims", jti="x" * 1000),
    # No token at all
    "nothing": by_text("no-token", lambda good: ""),
    "a word": by_text("malformed", lambda good: "null"),
    "two parts": by_text("malformed", lambda good: good.rpartition(".")[0]),
    "five parts, encrypted": by_text("malformed", lambda good: "a.b.c.d.e"),
    "dots": by_text("malformed", lambda good: ".."),
    "no base64": by_text("malformed", lambda good: "!.!.!"),
    "a header with padding": by_text("malformed", lambda good: good.replace(".", "=.", 1)),
    "a header that is a list": by_raw_header("malformed", b'["alg","b64"]'),
    "a header that is a text": by_raw_header("malformed", b'"alg"'),
    "a header nested too deeply": by_raw_header("malformed", b'{"alg":' + b"[" * 2900),
    "a header that is too long": by_header("malformed", more="x" * 4096),
    "a payload that is a list": by_payload("claims", b"[]"),
    "a payload that is no JSON": by_payload("claims", b"{"),
    "a payload that is not UTF-8": by_payload("claims", b'{"iss":"\xff"}'),
    "a payload nested too deeply": by_payload("claims", b'{"a":' + b"[" * 11_000),
    "an empty payload": by_payload("claims", b""),
    "a token within a token": ("claims", lambda: signed(header(cty="JWT"), signed().encode())),
    "a megabyte": by_claims("malformed", more="x" * 1_000_000),
    "as JSON": by_text("malformed", lambda good: json.dumps({"protected": good})),
    "a space inside": by_text("malformed", lambda good: good.replace(".", ". ", 1)),
}


def reasons(said: str) -> list[str | None]:
    return [json.loads(line).get("reason") for line in said.splitlines()]


def test_there_are_enough_of_them() -> None:
    assert len(FORGED) >= 60


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused_without_a_reason(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    reason, make = FORGED[name]
    logs.configure("info", "json")
    token = make()
    answer = guarded().post(ORDER_SIGN, content=b"{}", headers=bearer(token))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.content == guarded().post(ORDER_SIGN).content
    said = capsys.readouterr().err
    assert reasons(said) == [reason, "no-token"]
    assert not any(piece in said for piece in token.split(".") if len(piece) > 20)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Basic dXNlcjpwYXNz")],
        [("Authorization", "null")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", "Bearer null")],
        [("Authorization", "Bearer undefined")],
        [("Authorization", b"Bearer \xff\xfe")],
        [("Cookie", "Authorization=Bearer {token}")],
        [("X-Authorization", "Bearer {token}")],
        [("Authorization", "{token}")],
        [("Authorization", "JWT {token}")],
        [("Authorization", "Bearer {token}"), ("Authorization", "Bearer {token}")],
        [("Authorization", "Bearer {token}, Bearer {token}")],
        [("Authorization", "Bearer {token}"), ("authorization", "Bearer {token}")],
        [("Authorization", "Bearer {token}"), ("Authorization", "Basic dXNlcjpwYXNz")],
        [("Authorization", ""), ("Authorization", "Bearer {token}")],
        [("Authorization", "Bearer {token} {token}")],
        [("Authorization", "Bearer\t{token}")],
        [("Authorization", 'Bearer "{token}"')],
        [("Authorization", "Bearer token={token}")],
        [("Authorization", "DPoP {token}")],
        [("Proxy-Authorization", "Bearer {token}")],
        [("X-Forwarded-Authorization", "Bearer {token}")],
        [("Authorization", "Bearer {token}"), ("Origin", "https://evil.example")],
    ],
)
def test_a_token_counts_only_where_it_belongs(headers: list[tuple[str, Any]]) -> None:
    token = signed()
    given = [(name, value if isinstance(value, bytes) else value.format(token=token)) for name, value in headers]
    answer = guarded().post(f"{ORDER_SIGN}?access_token={token}", content=b"{}", headers=given)
    assert answer.status_code == 401
    assert guarded().post(ORDER_SIGN, content=b"{}", headers=bearer(token)).status_code == 400, "the token was good"
