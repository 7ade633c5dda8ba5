"""The authorization server of an EHR: discovery, authorization request, and exchange of the code for a token.

SMART App Launch 2.2, authorization code with PKCE (S256). Every response of the server is checked.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import msgspec

from cds_hooks.protocol.errors import LaunchRefused
from cds_hooks.smart.grants import TokenGrant, read_grant
from cds_hooks.smart.registrations import Registration
from fhir_plugin.reading.addresses import is_confidential
from fhir_plugin.reading.backend_services import signed_form
from fhir_plugin.reading.client import FhirServers
from fhir_plugin.record import lenient

_ADDRESSES = ("authorization_endpoint", "token_endpoint")
_MOST_BYTES = 100_000
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The authorization endpoints of a FHIR server."""

    authorization_endpoint: str
    token_endpoint: str


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A pending authorization request; kept until the browser returns."""

    registration: Registration
    endpoints: Endpoints
    redirect: str
    verifier: str


async def discover_endpoints(fhir_server: str, connections: FhirServers) -> Endpoints:
    """The endpoints of the EHR; :class:`LaunchRefused` if they are missing or not safe to use."""
    answer = await connections.fetch(f"{fhir_server}/.well-known/smart-configuration", _MOST_BYTES, _SECONDS)
    configuration = lenient.read(answer.body, dict[str, msgspec.Raw])
    if configuration is None:
        what = "does not publish its SMART configuration" if answer.reached else "did not answer"
        raise LaunchRefused("configuration", f"The EHR {what} ({answer.outcome}).")
    addresses = [lenient.read(configuration.get(name), str) or "" for name in _ADDRESSES]
    for name, address in zip(_ADDRESSES, addresses, strict=True):
        if not address:
            raise LaunchRefused("configuration", f"The EHR names no {name} in its SMART configuration.")
        if not is_confidential(address):
            raise LaunchRefused("endpoint", f"The EHR names a {name} that is not secure.")
    if "S256" not in _challenge_methods(configuration):
        raise LaunchRefused("pkce", "The EHR does not support PKCE with S256, which this app requires.")
    return Endpoints(*addresses)


def _challenge_methods(configuration: Mapping[str, msgspec.Raw]) -> tuple[str, ...]:
    """What the EHR lists; S256 where it lists nothing, because SMART requires it."""
    listed = configuration.get("code_challenge_methods_supported", msgspec.Raw(b"null"))
    one = lenient.read(listed, str)
    if one is not None:
        return (one,)
    if lenient.read(listed, list[msgspec.Raw]) is None:
        return ("S256",)
    return lenient.decode_array(listed, str)


def authorization_url(request: AuthorizationRequest, state: str, scope: str, launch: str | None) -> str:
    """The address of the sign-in, to which the browser is redirected."""
    issuer = request.registration.issuer
    parameters = {
        "response_type": "code",
        "client_id": issuer.client_id,
        "redirect_uri": request.redirect,
        "scope": scope,
        "state": state,
        "aud": issuer.issuer,
        "code_challenge": challenge(request.verifier),
        "code_challenge_method": "S256",
    }
    if launch is not None:
        parameters["launch"] = launch
    separator = "&" if "?" in request.endpoints.authorization_endpoint else "?"
    return f"{request.endpoints.authorization_endpoint}{separator}{urlencode(parameters)}"


def challenge(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


async def exchange_code(code: str, request: AuthorizationRequest, connections: FhirServers) -> TokenGrant:
    """The token for a code, which is valid once; :class:`LaunchRefused` if the EHR issues none."""
    issuer, key, address = request.registration.issuer, request.registration.key, request.endpoints.token_endpoint
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": request.redirect,
        "code_verifier": request.verifier,
    }
    headers: Mapping[str, str] = {}
    if key is not None:
        form |= signed_form(key, address)
    elif issuer.client_secret is not None:
        headers = {"Authorization": _basic(issuer.client_id, issuer.client_secret.get_secret_value())}
    else:
        form["client_id"] = issuer.client_id
    answer = await connections.fetch(address, _MOST_BYTES, _SECONDS, form, headers)
    return read_grant(answer, issuer.client_id)


def _basic(name: str, secret: str) -> str:
    """RFC 6749, 2.3.1: both parts are form-encoded first."""
    pair = f"{quote(name, safe='')}:{quote(secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
