"""The token answer of an EHR: what the launch needs, and of the rest whatever can be used.

Authorization servers differ: Azure AD writes ``expires_in`` as a string, others write ``null`` for what they leave out.
Only a member without which there is no launch refuses it, and the message then names that member.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from cds_hooks.protocol.errors import LaunchRefused
from fhir_plugin.errors import BadInput
from fhir_plugin.reading.responses import ServerResponse
from fhir_plugin.reading.urls import normal_base_url
from fhir_plugin.record import lenient
from fhir_plugin.record.subjects import is_fhir_id, reference_parts

_REFUSED = "The EHR issued no token for this launch"
_AUTHORS = frozenset({"Practitioner", "PractitionerRole", "Patient", "RelatedPerson"})
"""The users who may be the author of a QuestionnaireResponse in FHIR R4; a Person may not."""
_JWT_PARTS = 3

Members = Mapping[str, msgspec.Raw]


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """An access token and its launch context; what is absent or of another kind is empty."""

    access_token: str = field(repr=False)
    scope: str = ""
    expires_in: float | None = None
    """Seconds; ``None`` if unknown."""
    patient: str = ""
    encounter: str = ""
    user: str = ""
    """The reference to the user, as the EHR writes it: ``fhirUser`` of the ID token."""
    app_context: bytes = b"null"


def read_grant(answer: ServerResponse, client_id: str) -> TokenGrant:
    """The grant in the answer of a token endpoint; :class:`LaunchRefused` says what is wrong with it."""
    members = _members(answer)
    token = _text(members, "access_token")
    if not token:
        cause = "it reported an error" if _text(members, "error") else "its answer has no access token"
        raise LaunchRefused("token", f"{_REFUSED}: {cause}. Open the app again.")
    # SMART knows one type only, so that an answer without a type is not ambiguous.
    if (_text(members, "token_type") or "bearer").lower() != "bearer":
        raise LaunchRefused("token", "The EHR issued no token that this app can use: only Bearer tokens are.")
    return TokenGrant(
        access_token=token,
        scope=_scope(members),
        expires_in=_seconds(members),
        patient=_identifier(members, "patient"),
        encounter=_identifier(members, "encounter"),
        user=_user(members, client_id),
        app_context=bytes(members.get("appContext", b"null")),
    )


def _members(answer: ServerResponse) -> Members:
    if answer.body is None:
        if answer.outcome.startswith("4"):
            cause = (
                f"it refused the request ({answer.outcome}). The code may be used up or expired; if this happens each"
            )
            raise LaunchRefused("token", f"{_REFUSED}: {cause} time, the registration of this app is wrong.")
        raise LaunchRefused("token", f"{_REFUSED}: its token endpoint did not answer ({answer.outcome}).")
    members = lenient.read(answer.body, dict[str, msgspec.Raw])
    if members is None:
        raise LaunchRefused("token", f"{_REFUSED}: its answer is not a JSON object.")
    return members


def _text(members: Members, name: str) -> str:
    return lenient.read(members.get(name), str) or ""


def _identifier(members: Members, name: str) -> str:
    """An id, also one that is written as a number."""
    number = lenient.read(members.get(name), int)
    return _text(members, name) if number is None else str(number)


def _scope(members: Members) -> str:
    several = lenient.read(members.get("scope"), list[str])
    return " ".join(several) if several else _text(members, "scope")


def _seconds(members: Members) -> float | None:
    """``3600``, ``"3600"`` and ``3600.0`` are the same; what is no number is unknown."""
    seconds = lenient.read(members.get("expires_in"), float)
    if seconds is None:
        try:
            seconds = float(_text(members, "expires_in"))
        except ValueError:
            return None
    return None if math.isnan(seconds) else seconds


def _user(members: Members, client_id: str) -> str:
    """``fhirUser`` of the ID token, else of the answer itself.

    The token comes over TLS from the token endpoint, which OpenID Connect Core (3.1.3.7, 6) accepts in place of its
    signature; it must be for this app.
    """
    parts = _text(members, "id_token").split(".")
    claims: Members = {}
    if len(parts) == _JWT_PARTS:
        claims = lenient.read(_base64url(parts[1]), dict[str, msgspec.Raw]) or {}
    audience = lenient.read(claims.get("aud"), list[str]) or [_text(claims, "aud")]
    claimed = (_text(claims, "fhirUser") or _text(claims, "profile")) if client_id in audience else ""
    return claimed or _text(members, "fhirUser")


def _base64url(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


def author_reference(user: str, fhir_server: str) -> str:
    """The relative reference to the user, if it is on that FHIR server and can be an author; else empty."""
    root, kind, identifier = reference_parts(user)
    if kind not in _AUTHORS or not is_fhir_id(identifier):
        return ""
    try:
        here = not root or normal_base_url(root) == normal_base_url(fhir_server)
    except BadInput:
        here = False
    return f"{kind}/{identifier}" if here else ""


def encounter_reference(encounter: str) -> str:
    """The relative reference to the encounter of the launch; empty if it is no id."""
    identifier = encounter.removeprefix("Encounter/")
    return f"Encounter/{identifier}" if is_fhir_id(identifier) else ""
