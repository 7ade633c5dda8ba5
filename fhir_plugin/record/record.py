"""The record of one patient, made whole: what was read, and just as exactly what was not.

An input is one kind of thing that is asked for (conditions, observations, ...). Its state keeps five situations
apart, because "there is none" and "we could not look" must never become the same sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from fhir_plugin.record.bundles import AnyResource
from fhir_plugin.record.resources import Medication, Patient, Resource

R = TypeVar("R", bound=Resource)


class InputState(StrEnum):
    """What is known of one input."""

    NOT_RETRIEVED = "not retrieved"
    """Nobody provided it and it could not be, or was not, fetched."""
    NONE = "none"
    """The client says that there is none (``null``)."""
    UNREADABLE = "unreadable"
    """An OperationOutcome, the wrong type, or not FHIR at all."""
    PARTIAL = "partial"
    """Some of it: a page without its next one, or a resource in it that could not be read."""
    COMPLETE = "complete"
    """All of it, which may be nothing."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that was offered or asked for and could not be used; holds no patient data."""

    where: str
    """The input and place, such as ``conditions.entry[3]``."""
    why: str


@dataclass(frozen=True, slots=True)
class Input:
    """One input of the record: its state and the resources that could be read."""

    state: InputState
    resources: tuple[AnyResource, ...] = ()
    why: str = ""
    """Why it is not whole, where the site can do something about it; holds no patient data."""

    @property
    def whole(self) -> bool:
        """Whether absence from ``resources`` means absence from the record."""
        return self.state in (InputState.COMPLETE, InputState.NONE)


NOT_RETRIEVED = Input(InputState.NOT_RETRIEVED)


@dataclass(frozen=True, slots=True)
class Query:
    """One query to the FHIR server, for explanation; holds no patient data."""

    input: str
    outcome: str
    """Such as ``200``, ``timeout``, ``403``."""
    count: int
    """How many resources of this patient it brought."""
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Record:
    """Everything known of one patient, each resource once and each about this patient."""

    patient_id: str
    inputs: Mapping[str, Input]
    """By input name, as in ``fhir_plugin.record.inputs.INPUTS``."""
    medications: Mapping[str, Medication] = field(default_factory=dict)
    """Medication resources that orders refer to, by reference as written in the order (``Medication/1``)."""
    unread: tuple[Unread, ...] = ()
    dropped: int = 0
    """How many resources were about somebody else, and so were dropped."""
    warnings: tuple[str, ...] = ()
    """What servers said beside the data, in FHIR's own codes: ``observations: warning not-supported``."""
    queries: tuple[Query, ...] = ()

    def input(self, name: str) -> Input:
        """The input of that name; one that was never asked for is ``NOT_RETRIEVED``."""
        return self.inputs.get(name, NOT_RETRIEVED)

    def all(self, name: str, view: type[R]) -> Iterator[R]:
        """The resources of one input that are of the type ``view``."""
        for resource in self.input(name).resources:
            if isinstance(resource, view):
                yield resource

    @property
    def patient(self) -> Patient | None:
        """The Patient resource, where it was read."""
        return next(self.all("patient", Patient), None)

    def gaps(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Of the inputs named, those that are not whole, in words: ``conditions: partial``."""
        found = ((name, self.input(name)) for name in names)
        return tuple(
            f"{name}: {each.state} ({each.why})" if each.why else f"{name}: {each.state}"
            for name, each in found
            if not each.whole
        )
