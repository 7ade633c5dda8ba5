"""Pending launches and sessions of the app: in memory, bounded, each bound to one browser by its own cookie.

A session belongs to one patient and has its own address and cookie, so two charts that are open in one browser can
never show each other's patient.
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
from fhir_plugin.reading.gather import FhirAccess
from fhir_plugin.record.record import Record

T = TypeVar("T")

LAUNCH_SECONDS = 600.0
"""How long a user may take to sign in."""
MOST_LAUNCHES, MOST_OPENINGS, MOST_FORMS = 10_000, 1_000, 50


@dataclass(frozen=True, slots=True)
class SubmittedForm:
    """A form that was submitted for saving."""

    content: object
    """The submitted answers."""
    saved: asyncio.Task[SaveResult]
    """The pending result."""


@dataclass(slots=True, eq=False)
class AppSession:
    """One patient's chart, opened by one user."""

    issuer: Issuer
    access: FhirAccess
    """The FHIR server with its access token, which is sent to that server only."""
    patient: str
    scopes: str
    """The scopes."""
    encounter: str = ""
    """Reference to the encounter of the launch; empty if there is none."""
    author: str = ""
    """Reference to the user, if it can be the author of a response; empty if unknown."""
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    """CSRF token: included in every form, so that no other page can submit one."""
    patient_record: Record | None = field(default=None, repr=False)
    """The record with only the Patient, once read: it does not change during a session."""
    drawn: dict[str, Any] = field(default_factory=dict, repr=False)
    """The data of the pictures on the last pages, by name."""
    _forms: OrderedDict[str, SubmittedForm | None] = field(default_factory=OrderedDict, repr=False)
    """Recent forms by mark, with their submission once there is one."""

    def new_form_mark(self) -> str:
        """A one-time mark for a form: its answers are saved once, however often it is submitted."""
        while len(self._forms) >= MOST_FORMS:
            self._forms.popitem(last=False)
        mark = secrets.token_urlsafe(12)
        self._forms[mark] = None
        return mark

    def send(
        self, mark: str, content: object, save: Callable[[], Coroutine[Any, Any, SaveResult]]
    ) -> SubmittedForm | None:
        """The submission for that mark, started now unless it exists; ``None`` for an unknown mark."""
        if mark not in self._forms:
            return None
        submitted = self._forms[mark]
        if submitted is None:
            submitted = self._forms[mark] = SubmittedForm(content, asyncio.create_task(save()))
        return submitted


class ExpiringStore(Generic[T]):
    """Values by a public name, each accessible only with its secret and only until it expires."""

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        """``now`` is a clock in seconds; beyond ``most`` values, the oldest is dropped."""
        self._most = most
        self._now = now
        self._values: OrderedDict[str, tuple[bytes, float, T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def put(self, value: T, seconds: float) -> tuple[str, str]:
        """Store a value; returns its name and its secret."""
        self._drop_expired()
        while len(self._values) >= self._most:
            self._values.popitem(last=False)
        name, secret = secrets.token_urlsafe(12), secrets.token_urlsafe(32)
        self._values[name] = (_digest(secret), self._now() + seconds, value)
        return name, secret

    def get(self, name: str, secret: str) -> T | None:
        """The value; ``None`` if the name is unknown, the value has expired, or the secret does not match."""
        self._drop_expired()
        kept = self._values.get(name)
        return kept[2] if kept and hmac.compare_digest(kept[0], _digest(secret)) else None

    def take(self, name: str, secret: str) -> T | None:
        """The value, which is removed."""
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
    """All open sessions and pending launches."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.launches: ExpiringStore[AuthorizationRequest] = ExpiringStore(MOST_LAUNCHES, now)
        self.views: ExpiringStore[AppSession] = ExpiringStore(MOST_OPENINGS, now)
