"""The CDS Hooks request: what a client sends.

Requests are read leniently, because real clients send drafts that are not valid FHIR: prefetch values and draft
orders stay bytes until the module that needs them reads them.
"""

from __future__ import annotations

import math
import re
from typing import TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from cds_hooks.protocol.errors import BadRequest, BodyFault, BodyTooLarge
from cds_hooks.protocol.limits import MAX_DRAFTS
from fhir_plugin.record.text import MAX_TEXT, letters_in

T = TypeVar("T")


class RequestMessage(msgspec.Struct, frozen=True, rename="camel"):
    """A message that is read: unknown members are ignored."""


class FhirAuthorization(RequestMessage, frozen=True):
    """The access token for ``fhirServer``; real clients omit everything except the token."""

    access_token: str | None = msgspec.field(name="access_token", default=None)
    token_type: str | None = msgspec.field(name="token_type", default=None)
    expires_in: float | str | None = msgspec.field(name="expires_in", default=None)
    scope: str | None = None

    @property
    def valid_seconds(self) -> float:
        """Seconds for which the token is valid, from when the request was sent; infinite if not stated."""
        expires_in = self.expires_in
        if isinstance(expires_in, str):
            return float(expires_in) if expires_in.isdecimal() else math.inf
        return math.inf if expires_in is None else expires_in


class HookContext(RequestMessage, frozen=True):
    """The context that all hooks offered here have in common."""

    user_id: str
    patient_id: str
    encounter_id: str | None = None


class DraftBundle(RequestMessage, frozen=True):
    """The Bundle of draft orders, its entries left as bytes: ``Bundle.type`` is often missing."""

    resource_type: str | None = None
    entry: tuple[DraftEntry, ...] | UnsetType = UNSET

    @property
    def entries(self) -> tuple[DraftEntry, ...]:
        """The entries; none where the member is left out."""
        return () if self.entry is UNSET else self.entry

    @property
    def is_bundle(self) -> bool:
        """Whether it says that it is a Bundle, or at least has entries as one has."""
        return self.resource_type == "Bundle" or (self.resource_type is None and self.entry is not UNSET)


class DraftEntry(RequestMessage, frozen=True):
    """One draft order, valid FHIR or not."""

    full_url: str | None = None
    resource: Raw = Raw(b"")


class PatientView(HookContext, frozen=True):
    """Context of ``patient-view`` 1.0."""


class OrderSign(HookContext, frozen=True):
    """Context of ``order-sign`` 1.1."""

    draft_orders: DraftBundle = DraftBundle()


class OrderSelect(HookContext, frozen=True):
    """Context of ``order-select`` 1.0."""

    selections: tuple[str, ...] = ()
    draft_orders: DraftBundle = DraftBundle()


class EncounterStart(HookContext, frozen=True):
    """Context of ``encounter-start`` 1.0."""


AnyContext = PatientView | OrderSelect | OrderSign | EncounterStart


CONTEXTS: dict[str, tuple[type[AnyContext], tuple[str, ...]]] = {
    "patient-view": (PatientView, ("userId", "patientId")),
    "order-select": (OrderSelect, ("userId", "patientId", "selections", "draftOrders")),
    "order-sign": (OrderSign, ("userId", "patientId", "draftOrders")),
    "encounter-start": (EncounterStart, ("userId", "patientId", "encounterId")),
}
"""The hooks that can be answered: the type of the context and its required fields."""


class Envelope(RequestMessage, frozen=True):
    """The part of the request that is the same for every hook."""

    hook: str
    hook_instance: str
    context: Raw
    fhir_server: str | None = None
    fhir_authorization: FhirAuthorization | None = None
    prefetch: dict[str, Raw] | UnsetType | None = UNSET


class HookCall(msgspec.Struct, frozen=True):
    """One call, read and checked."""

    hook: str
    hook_instance: str
    context: AnyContext
    prefetch: dict[str, Raw]
    fhir_server: str | None
    fhir_authorization: FhirAuthorization | None


_ENVELOPE = msgspec.json.Decoder(Envelope)


_CONTEXTS = {hook: msgspec.json.Decoder(shape) for hook, (shape, _) in CONTEXTS.items()}


_MEMBERS = msgspec.json.Decoder(dict[str, Raw])


_PATH = re.compile(r"^(?P<why>.*?) - at `\$(?P<path>.*)`$", re.DOTALL)


def read_call(body: bytes, hook: str) -> HookCall:
    """Read one request body for a service of ``hook``.

    :raises BadRequest: with the JSON pointer of the member that is missing or has the wrong type.
    :raises BodyTooLarge: more draft orders, or more text in them, than is looked at.
    """
    envelope = decode(_ENVELOPE, body, "")
    if envelope.hook != hook:
        raise BadRequest("/hook", f"this service is for the hook {hook}")
    members = decode(_MEMBERS, envelope.context, "/context")
    for name in CONTEXTS[hook][1]:
        if name not in members:
            raise BadRequest(f"/context/{name}", f"required by the hook {hook}", "missing")
    context = decode(_CONTEXTS[hook], envelope.context, "/context")
    if not context.patient_id:
        raise BadRequest("/context/patientId", "is empty")
    if isinstance(context, OrderSelect | OrderSign):
        _check_drafts(context.draft_orders)
    return HookCall(
        hook=hook,
        hook_instance=envelope.hook_instance,
        context=context,
        prefetch=envelope.prefetch or {},
        fhir_server=envelope.fhir_server or None,
        fhir_authorization=envelope.fhir_authorization,
    )


def _check_drafts(drafts: DraftBundle) -> None:
    if not drafts.is_bundle:
        raise BadRequest("/context/draftOrders", "must be a Bundle of draft orders", "type")
    if len(drafts.entries) > MAX_DRAFTS:
        raise BodyTooLarge(f"the call holds more than {MAX_DRAFTS} draft orders")
    resources = [bytes(draft.resource) for draft in drafts.entries]
    if sum(map(len, resources)) > MAX_TEXT and letters_in(b",".join(resources)) > MAX_TEXT:
        raise BodyTooLarge(f"the draft orders hold more than {MAX_TEXT} letters of text")


def decode(decoder: msgspec.json.Decoder[T], body: bytes | Raw, at: str) -> T:
    """Decode, or report where it failed. The decoder's own message names types and members, never values."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as fault:
        pointer, why, code = _locate(str(fault))
        raise BadRequest(at + pointer, why, code) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest(at, "is not JSON", "json") from None
    except RecursionError:
        raise BadRequest(at, "is nested too deeply", "nested") from None


def _locate(message: str) -> tuple[str, str, BodyFault]:
    """Split the decoder's message into a JSON pointer and a reason, in words and as a code."""
    match = _PATH.match(message)
    pointer, why = (_pointer(match["path"]), match["why"]) if match else ("", message)
    missing = re.match(r"Object missing required field `(.+)`", why)
    if missing:
        return f"{pointer}/{missing[1]}", "is missing", "missing"
    expected = re.match(r"Expected `(.+)`, got `(.+)`", why)
    if expected:
        return pointer, f"must be of type {expected[1]}", "type"
    return pointer, "cannot be used", "value"


def _pointer(path: str) -> str:
    """``.context.draftOrders.entry[3]`` as ``/context/draftOrders/entry/3``; a member of any name as ``*``."""
    return re.sub(r"\[(?:(\d+)|\.\.\.)\]", lambda index: f"/{index[1] or '*'}", path).replace(".", "/")
