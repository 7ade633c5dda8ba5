"""Launches under way and openings of the app: kept in memory, bounded, each bound to one browser by its own cookie.

An opening belongs to one patient and has an address and a cookie of its own, so that two charts that are open in one
browser can never show each other's patient.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from cds_hooks.settings.issuers import Issuer
from cds_hooks.smart.authorization import AuthorizationRequest
from cds_hooks.smart.saving import SaveResult
from fhir_plugin.reading.gather import FhirSource
from fhir_plugin.record.record import Record

T = TypeVar("T")

LAUNCH_SECONDS = 600.0
"""How long a user may take to sign in."""
MOST_LAUNCHES, MOST_OPENINGS, MOST_FORMS = 10_000, 1_000, 50


@dataclass(frozen=True, slots=True)
class SubmittedForm:
    """A form that was sent to be saved."""

    content: object
    """What it held."""
    saved: asyncio.Task[SaveResult]
    """What becomes of it."""


@dataclass(slots=True, eq=False)
class AppSession:
    """One patient's chart, opened by one user."""

    issuer: Issuer
    source: FhirSource
    """The server, and the token, which never leaves this process but to it."""
    patient: str
    scopes: str
    """The scopes."""
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    """Stands in every form of the app, so that no other page can send one."""
    patient_record: Record | None = field(default=None, repr=False)
    """The record with nothing but the patient, once it was read: who it is does not change."""
    drawn: dict[str, Any] = field(default_factory=dict, repr=False)
    """What the pictures of the last pages show, by name."""
    _forms: OrderedDict[str, SubmittedForm | None] = field(default_factory=OrderedDict, repr=False)
    """The last forms that may be saved, by their marks, and those that were."""

    def new_form_mark(self) -> str:
        """A mark for one form: what it holds is saved once, however often it is sent."""
        while len(self._forms) >= MOST_FORMS:
            self._forms.popitem(last=False)
        mark = secrets.token_urlsafe(12)
        self._forms[mark] = None
        return mark

    def send(
        self, mark: str, content: object, save: Callable[[], Coroutine[Any, Any, SaveResult]]
    ) -> SubmittedForm | None:
        """The form of that mark, sent now unless it was before; ``None`` for a mark that no form has."""
        if mark not in self._forms:
            return None
        submitted = self._forms[mark]
        if submitted is None:
            submitted = self._forms[mark] = SubmittedForm(content, asyncio.create_task(save()))
        return submitted


class ExpiringStore(Generic[T]):
    """Values by a name that is no secret, each to be had only with its secret and only for a time."""

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        """``now`` counts seconds; when there are ``most``, the oldest gives way."""
        self._most = most
        self._now = now
        self._values: OrderedDict[str, tuple[bytes, float, T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def put(self, value: T, seconds: float) -> tuple[str, str]:
        """Keep a value; gives its name and its secret."""
        self._drop_expired()
        while len(self._values) >= self._most:
            self._values.popitem(last=False)
        name, secret = secrets.token_urlsafe(12), secrets.token_urlsafe(32)
        self._values[name] = (_digest(secret), self._now() + seconds, value)
        return name, secret

    def get(self, name: str, secret: str) -> T | None:
        """The value; ``None`` where there is none of that name, where it is over, or where the secret is another."""
        self._drop_expired()
        kept = self._values.get(name)
        return kept[2] if kept and hmac.compare_digest(kept[0], _digest(secret)) else None

    def take(self, name: str, secret: str) -> T | None:
        """The same, and it is gone."""
        value = self.get(name, secret)
        if value is not None:
            del self._values[name]
        return value

    def _drop_expired(self) -> None:
        now = self._now()
        for name in [name for name, (_, until, _) in self._values.items() if until <= now]:
            del self._values[name]


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class AppSessions:
    """Everything that is open, and everything that is about to be."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.launches: ExpiringStore[AuthorizationRequest] = ExpiringStore(MOST_LAUNCHES, now)
        self.views: ExpiringStore[AppSession] = ExpiringStore(MOST_OPENINGS, now)
