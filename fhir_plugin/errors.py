"""The errors a caller of this package can meet.

::

    KnowledgeError              (in mappings) a knowledge file is wrong: refuse to start
    TandemError
      RecordUnavailable         a required input is neither prefetched nor reachable
        TemporarilyUnavailable  trying again may help: timeout, 429, 5xx
        PermanentlyUnavailable  trying again will not help: 401, 403, 404, not FHIR
        WrongPatient            the server or the prefetch answered with another patient
      WrongQuestionnaire        a questionnaire response cannot be scored
      BadInput                  a file or an argument cannot be used
        MissingExtra            it needs packages of an extra that is not installed

Messages name what, where and what to do. They never hold patient data.
"""


class TandemError(Exception):
    """Any error of Tandem's own that is not a wrong knowledge file."""


class RecordUnavailable(TandemError):
    """A required input could be had neither from the request nor from the FHIR server."""


class TemporarilyUnavailable(RecordUnavailable):
    """The same request may succeed later."""


class PermanentlyUnavailable(RecordUnavailable):
    """The same request will fail again."""


class WrongPatient(RecordUnavailable):
    """The Patient that was supplied is not the patient in context."""


class WrongQuestionnaire(TandemError):
    """A QuestionnaireResponse is of no known instrument or cannot be read."""


class BadInput(TandemError):
    """A file, an option or an address given by the user cannot be used."""


class MissingExtra(BadInput):
    """What was asked for needs packages of an extra that is not installed."""
