"""The errors that this package raises.

::

    KnowledgeError              (in mappings) a knowledge file is wrong: do not start
    TandemError
      RecordUnavailable         a required input is neither prefetched nor retrievable
        TemporarilyUnavailable  a retry may succeed: timeout, 429, 5xx
        PermanentlyUnavailable  a retry will fail too: 401, 403, 404, not FHIR
        WrongPatient            the server or the prefetch returned a different patient
      WrongQuestionnaire        a questionnaire response cannot be scored
      BadInput                  a file or an argument cannot be used
        MissingExtra            it needs packages of an extra that is not installed

Messages state what is wrong, where, and what to do. They never contain patient data.
"""

from typing import Literal

UnavailableReason = Literal[
    "not-supplied",
    "server-not-listed",
    "server-failed",
    "server-refused",
    "token",
    "unreadable",
    "wrong-patient",
    "unavailable",
]
"""Why a required input is unavailable, as a code for the log."""


class TandemError(Exception):
    """Base class of Tandem's own errors, other than a wrong knowledge file."""


class RecordUnavailable(TandemError):
    """A required input is available neither from the request nor from the FHIR server."""

    def __init__(self, message: str, reason: UnavailableReason = "unavailable") -> None:
        super().__init__(message)
        self.reason = reason


class TemporarilyUnavailable(RecordUnavailable):
    """The same request may succeed later."""


class PermanentlyUnavailable(RecordUnavailable):
    """The same request would fail again."""


class WrongPatient(RecordUnavailable):
    """The supplied Patient is not the patient in context."""


class WrongQuestionnaire(TandemError):
    """A QuestionnaireResponse belongs to no known instrument or cannot be read."""


class BadInput(TandemError):
    """A file, an option or an address given by the user cannot be used."""


class MissingExtra(BadInput):
    """What was asked for needs packages of an extra that is not installed."""
