"""The record of one patient: what was read, and exactly what was not.

An input is one kind of data that is requested (conditions, observations, ...). Its state distinguishes five
situations, because "there is none" and "we could not look" must never be confused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from fhir_plugin.record.bundles import AnyResource
from fhir_plugin.record.resources import Medication, Patient, Resource

R = TypeVar("R", bound=Resource)


class InputState(StrEnum):
    """How completely one input was read."""

    NOT_RETRIEVED = "not retrieved"
    """It was not provided, and it could not be, or was not, fetched."""
    NONE = "none"
    """The client states that there is none (``null``)."""
    UNREADABLE = "unreadable"
    """An OperationOutcome, the wrong type, or not FHIR at all."""
    PARTIAL = "partial"
    """Incomplete: a following page is missing, fewer came than the total, or a resource could not be read."""
    COMPLETE = "complete"
    """All of it, which may be empty."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that was offered or requested and could not be used; contains no patient data."""

    where: str
    """The input and place, such as ``conditions.entry[3]``."""
    why: str


@dataclass(frozen=True, slots=True)
class Input:
    """One input of the record: its state and the resources that could be read."""

    state: InputState
    resources: tuple[AnyResource, ...] = ()
    why: str = ""
    """Why it is not whole, if the site can do something about it; contains no patient data."""

    @property
    def whole(self) -> bool:
        """Whether absence from ``resources`` means absence from the record."""
        return self.state in _WHOLE


_WHOLE = (InputState.COMPLETE, InputState.NONE)
NOT_RETRIEVED = Input(InputState.NOT_RETRIEVED)


class Extent(NamedTuple):
    """How completely some inputs were read."""

    unread: tuple[str, ...]
    """The names of those that are not whole."""
    gaps: tuple[str, ...]
    """The same, with the state of each."""
    looked_in: tuple[str, ...]
    """All of them, with the number of their resources."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query to the FHIR server, for explanation; contains no patient data."""

    input: str
    outcome: str
    """Such as ``200``, ``timeout``, ``403``."""
    count: int
    """Number of resources of this patient that it returned."""
    milliseconds: float
    begun: float = 0.0
    """When it began, on the clock ``time.monotonic``."""


@dataclass(frozen=True, slots=True)
class Record:
    """Everything known about one patient, without duplicates or resources about anybody else."""

    patient_id: str
    inputs: Mapping[str, Input]
    """By input name, as in ``fhir_plugin.record.inputs.INPUTS``."""
    medications: Mapping[str, Medication] = field(default_factory=dict)
    """Medication resources referenced by orders, by reference as written in the order (``Medication/1``)."""
    unread: tuple[Unread, ...] = ()
    dropped: int = 0
    """Number of resources dropped because they were about somebody else."""
    warnings: tuple[str, ...] = ()
    """OperationOutcomes alongside the data, as FHIR codes: ``observations: warning not-supported``."""
    queries: tuple[Query, ...] = ()
    _of_type: dict[tuple[str, type], tuple[Any, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """The resources of an input that are of one type."""
    _extents: dict[tuple[str, ...], Extent] = field(default_factory=dict, init=False, repr=False, compare=False)
    """How completely inputs were read, by their names: many facts ask for the same few."""

    def input(self, name: str) -> Input:
        """The input of that name; ``NOT_RETRIEVED`` if it was never requested."""
        return self.inputs.get(name, NOT_RETRIEVED)

    def all(self, name: str, view: type[R]) -> Iterator[R]:
        """The resources of one input that are of the type ``view``."""
        found = self._of_type.get((name, view))
        if found is None:
            found = tuple([resource for resource in self.input(name).resources if isinstance(resource, view)])
            self._of_type[name, view] = found
        return iter(found)

    @property
    def patient(self) -> Patient | None:
        """The Patient resource, if it was read."""
        return next(self.all("patient", Patient), None)

    def unread_of(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the named inputs that are not whole."""
        return self.extent(names).unread

    def looked_in(self, *names: str) -> tuple[str, ...]:
        """The named inputs with the number of their resources: ``conditions (3)``."""
        return self.extent(names).looked_in

    def gaps(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the named inputs that are not whole, as text: ``conditions: partial``."""
        return self.extent(names).gaps

    def extent(self, names: tuple[str, ...]) -> Extent:
        """How completely the named inputs were read."""
        known = self._extents.get(names)
        if known is None:
            known = self._extents[names] = _extent(self.inputs, names)
        return known


def _extent(inputs: Mapping[str, Input], names: tuple[str, ...]) -> Extent:
    unread, gaps, looked_in = [], [], []
    for name in names:
        entry = inputs.get(name, NOT_RETRIEVED)
        looked_in.append(f"{name} ({len(entry.resources)})")
        if entry.state not in _WHOLE:
            unread.append(name)
            gaps.append(f"{name}: {entry.state}" + (f" ({entry.why})" if entry.why else ""))
    return Extent(tuple(unread), tuple(gaps), tuple(looked_in))
