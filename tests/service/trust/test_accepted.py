"""Tokens as real clients make them are accepted."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.hooks.calls import ORDER_SIGN, body
from tests.support.trust.signing import (
    AUDIENCE,
    BASE,
    JKU,
    OTHER_ISSUER,
    SHARED_ISSUER,
    bearer,
    claims,
    clients,
    header,
    service,
    signed,
)

LONG = "https://ehr.example/interconnect-prd-oauth/api/epic/2019/Security/Open/PublicKeys/" + "x" * 600
RSA = {"alg": "RS384", "kid": "rsa-1"}


@cache
def guarded() -> TestClient:
    return service(*clients())


def by_rsa(alg: str = "RS384", **changes: Any) -> str:
    return signed(header(alg=alg, kid="rsa-1"), claims(**changes), "rsa-1", alg)


def by_lonely(head: dict[str, Any] | None = None, **changes: Any) -> str:
    return signed(head or header(kid="lonely"), claims(iss="https://lonely.example", **changes), "lonely")


SHAPES: dict[str, Callable[[], str]] = {
    "the example of the specification": lambda: signed(header(jku=JKU)),
    "without jku": signed,
    "RS384": by_rsa,
    "RS384 with jku": lambda: signed(header(**RSA, jku=JKU), key="rsa-1", alg="RS384"),
    "typ in small letters": lambda: signed(header(typ="jwt")),
    "header members that mean nothing here": lambda: signed(header(x5t="dGh1bWI", nonce="1", cty="JWT")),
    "certificates beside the kid": lambda: signed(header(x5c=["MIIBIjANBg"], x5u="https://ehr.example/cert")),
    "one audience in a list": lambda: signed(payload=claims(aud=[AUDIENCE])),
    "several audiences": lambda: signed(payload=claims(aud=[f"{BASE}/cds-services", AUDIENCE, BASE])),
    "fractions of a second": lambda: signed(payload=claims(iat=time.time(), exp=time.time() + 299.5)),
    "with nbf": lambda: signed(payload=claims(nbf=int(time.time()))),
    "with sub, and claims of their own": lambda: signed(payload=claims(sub="tandem", scope="x", patient={"a": [1]})),
    "a tenant that selects nothing": lambda: signed(payload=claims(tenant="1a2b")),
    "null for a tenant": lambda: signed(payload=claims(tenant=None)),
    "one tenant of an issuer": lambda: signed(payload=claims(iss=SHARED_ISSUER, tenant="north")),
    "the other tenant of the issuer": lambda: signed(payload=claims(iss=SHARED_ISSUER, tenant="south")),
    "an hour": lambda: signed(payload=claims(iat=int(time.time()), exp=int(time.time()) + 3600)),
    "thirty seconds": lambda: signed(payload=claims(exp=int(time.time()) + 30)),
    "a clock that is a little ahead": lambda: signed(payload=claims(iat=time.time() + 50, nbf=time.time() + 50)),
    "a clock that is a little behind": lambda: signed(payload=claims(iat=time.time() - 90, exp=time.time() - 30)),
    "another client, whose jku nobody has configured": lambda: signed(
        header(kid="other-1", jku=LONG), claims(iss=OTHER_ISSUER), "other"
    ),
    "no kid, and one key": lambda: by_lonely(header(kid=...)),
    "an empty kid, and one key": lambda: by_lonely(header(kid="")),
    "a kid although none is needed": by_lonely,
    "a slash at the end of the audience": lambda: by_lonely(aud=f"{AUDIENCE}/"),
    "RS256, where it is allowed": lambda: by_rsa("RS256", iss="https://elder.example"),
    "PS384, where it is allowed": lambda: by_rsa("PS384", iss="https://elder.example"),
    "ES256, where it is allowed": lambda: signed(
        header(alg="ES256", kid="ec-256"), claims(iss="https://elder.example"), "ec-256", "ES256"
    ),
    "a day, where it is allowed": lambda: by_rsa("RS256", iss="https://elder.example", exp=int(time.time()) + 86_390),
    "a jti that is no UUID": lambda: signed(payload=claims(jti=f"urn:x:{time.time_ns()}/ü")),
}


def test_there_are_enough_of_them() -> None:
    assert len(SHAPES) >= 20


@pytest.mark.parametrize("name", SHAPES)
def test_a_real_looking_token_is_accepted_once(name: str) -> None:
    token = SHAPES[name]()
    request = body(ORDER_SIGN, "doing-well")
    answer = guarded().post(ORDER_SIGN, json=request, headers=bearer(token))
    assert (answer.status_code, answer.json()) == (200, {"cards": []})
    again = guarded().post(ORDER_SIGN, json=request, headers=bearer(token))
    assert again.status_code == 401
    assert again.content == guarded().post(ORDER_SIGN).content


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_in_any_letters(scheme: str) -> None:
    answer = guarded().post(ORDER_SIGN, content=b"{}", headers={"Authorization": f"{scheme} {signed()}"})
    assert answer.status_code == 400
