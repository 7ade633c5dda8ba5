"""The errors of a call, with reasons that the caller may read.

::

    fhir_plugin.errors.TandemError
      CallError
        BadRequest        400  the body cannot be used: where (a JSON pointer) and why
        UnknownService    404  no service of that id
        BodyTooLarge      413  more bytes or resources than the limit
        EncodedBody       415  a compressed body
        BodyTooSlow       408  the body took longer than the limit
      Overloaded          503  more calls than can be answered soon
      StoreUnavailable    503  the database is unavailable; only feedback needs it
      UnusableDatabase         the tables cannot be used as they are; says what to do
      NotStarted               a process of the service ended before it answered

The status codes are in one table, in ``app.py``.
"""

import re
from typing import Literal

from fhir_plugin.errors import BadInput, RecordUnavailable, TandemError

BodyFault = Literal["json", "nested", "missing", "type", "value"]
"""What is wrong with a body, as a code for the log."""
UnusableState = Literal["old tables", "newer tables", "broken tables"]


class CallError(TandemError):
    """A call that cannot be answered because of its own content."""


class BadRequest(CallError):
    """The body cannot be used."""

    def __init__(self, pointer: str, why: str, fault: BodyFault = "value") -> None:
        """``pointer`` is a JSON pointer (RFC 6901), empty for the whole body; ``why`` never quotes a value."""
        super().__init__(f"{pointer or '(body)'}: {why}")
        self.pointer = pointer
        self.why = why
        self.fault = fault


class StoreUnavailable(TandemError):
    """The database cannot be reached now; the same request may succeed later."""


class UnusableDatabase(BadInput):
    """The tables of the database cannot be used until somebody mends them; a retry would fail too."""

    def __init__(self, state: UnusableState, message: str) -> None:
        """``state`` is for the log and ``/readyz``; the message says what is wrong and what to do."""
        super().__init__(message)
        self.state = state


class NotStarted(TandemError):
    """A process of the service could not start although the settings are in order; says which, and why."""


class LaunchRefused(TandemError):
    """The app cannot be opened; the message is for the user who tried."""

    def __init__(self, reason: str, message: str) -> None:
        """``reason`` is a keyword for the log."""
        super().__init__(message)
        self.reason = reason


class UnknownService(CallError):
    """There is no CDS service of that id."""


class BodyTooLarge(CallError):
    """The request body exceeds the limit."""


class EncodedBody(CallError):
    """The request body is compressed: its decompressed size could not be limited in advance."""


class BodyTooSlow(CallError):
    """The request body did not arrive in time."""


class Overloaded(TandemError):
    """The call is turned away: there are more than can be answered soon."""

    def __init__(self, reason: str) -> None:
        """``reason`` is a keyword for the log and the metrics."""
        super().__init__("there are more calls than can be answered soon; try again")
        self.reason = reason


def reason_fields(error: Exception) -> dict[str, str]:
    """Why a call is not answered, for its line in the log: codes, and names of members that the standard defines."""
    match error:
        case BadRequest():
            return {"reason": f"body.{error.fault}", "member": _INDEX.sub("/*", error.pointer)}
        case RecordUnavailable():
            return {"reason": f"record.{error.reason}"}
        case _:
            return {"reason": ERROR_REASONS[type(error)]} if type(error) in ERROR_REASONS else {}


_INDEX = re.compile(r"/[0-9]+(?=/|$)")
ERROR_REASONS: dict[type[Exception], str] = {
    BodyTooLarge: "body.large",
    EncodedBody: "body.encoded",
    UnknownService: "service.unknown",
}
