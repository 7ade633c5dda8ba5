"""One client, its tokens, and whether they are admitted."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from cds_hooks.clients.admission import Admission
from cds_hooks.clients.replays.store import ReplayStore
from cds_hooks.clients.tokens import TokenRefused
from fhir_plugin.reading.client import FhirServers
from tests.support.hooks.calls import ORDER_SIGN, knowledge
from tests.support.trust.signing import claims, client, header, signed
from tests.support.trust.used import Clock

LEEWAY = 60
RSA = client("rsa", "rsa-1", leeway_seconds=LEEWAY)


def asked(token: str) -> Request:
    headers = [(b"authorization", f"Bearer {token}".encode())]
    return Request({"type": "http", "path": ORDER_SIGN, "headers": headers})


def by_rsa(**changes: Any) -> str:
    return signed(header(alg="RS384", kid="rsa-1"), claims(iss=RSA.issuer, **changes), "rsa-1", "RS384")


async def admits(admission: Admission, token: str) -> str:
    """``admitted``, or why not."""
    try:
        await admission.admit(asked(token))
    except TokenRefused as refused:
        return refused.reason.value
    return "admitted"


def admission(replays: ReplayStore, clock: Clock, **changes: Any) -> Admission:
    return Admission([RSA.model_copy(update=changes)], FhirServers(), replays, knowledge().servers, clock)
