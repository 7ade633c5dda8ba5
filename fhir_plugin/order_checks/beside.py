"""What all drafts of a call have beside them, read once for the call and not again for each draft.

A draft may be one of hundreds: what is beside it must be found without looking at every other draft anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import cached_property
from typing import TypeVar

from fhir_plugin.deciding.decide import Decision
from fhir_plugin.drafts.ordered import OrderedTreatments
from fhir_plugin.facts.treatments.courses import TreatmentCourse
from fhir_plugin.record.datatypes import CodeableConcept, Coding
from fhir_plugin.record.resources import ServiceRequest
from mappings.schema.load import Knowledge
from mappings.schema.order_checks.model import CheckDefinition

SERVICES = "serviceRequests"
_TOLD_APART = 2
T = TypeVar("T")


class CallSurroundings:
    """The drafts, the orders and the courses around each draft of one call."""

    def __init__(self, ordered: OrderedTreatments, decision: Decision, knowledge: Knowledge) -> None:
        self._ordered = ordered
        self._decision = decision
        self._knowledge = knowledge
        self._kept: dict[Hashable, object] = {}

    def once(self, key: Hashable, read: Callable[[], T]) -> T:
        """What ``read`` gives, read for the first draft that asks for that key."""
        if key not in self._kept:
            self._kept[key] = read()
        return self._kept[key]  # type: ignore[return-value]  # a key always stands for the same reading

    @cached_property
    def courses_under_way(self) -> tuple[TreatmentCourse, ...]:
        """The courses that have not ended."""
        return tuple(course for course in self._decision.facts.treatments.courses if not course.ended)

    def drafted_beside(self, reference: str) -> list[str]:
        """The distinct treatments of the drafts other than ``reference``, in any form, in the order of the drafts."""
        first = ((_first_beside(reference, places), name) for name, places in self._drafted.items())
        return [name for _, name in sorted((place, name) for place, name in first if place is not None)]

    def has_companion(self, check: CheckDefinition, reference: str) -> bool:
        """Whether a draft other than ``reference``, or an active order of the record, is the companion of a check."""
        drafts, on_record = self.once(
            ("companions", check.id), lambda: (self._companions(check), self._ordered_on(check))
        )
        return on_record or bool(drafts - {reference})

    @cached_property
    def _drafted(self) -> dict[str, list[tuple[int, str]]]:
        """For each treatment the first two drafts of it that can be told apart, with their places."""
        known = self._knowledge.treatments.by_id
        drafted: dict[str, list[tuple[int, str]]] = {}
        named = ((name, other.draft.reference) for other in self._ordered.considered for name in other.names)
        for place, (name, reference) in enumerate(named):
            places = drafted.setdefault(name, [])
            if name in known and len(places) < _TOLD_APART and all(reference != seen for _, seen in places):
                places.append((place, reference))
        return drafted

    def _companions(self, check: CheckDefinition) -> set[str]:
        drafts = (other.draft for other in self._ordered.considered)
        return {draft.reference for draft in drafts if _holds(check, draft.words, draft.codings)}

    def _ordered_on(self, check: CheckDefinition) -> bool:
        return any(
            _holds(check, (request.code.label, *_displays(request.code)), request.code.coding)
            for request in self._active_services()
            if request.code
        )

    def _active_services(self) -> Iterator[ServiceRequest]:
        for request in self._decision.record.all(SERVICES, ServiceRequest):
            if request.status == "active" and request.is_order:
                yield request


def _first_beside(reference: str, places: Iterable[tuple[int, str]]) -> int | None:
    return next((place for place, other in places if other != reference), None)


def _holds(check: CheckDefinition, words: Iterable[str], codings: Iterable[Coding]) -> bool:
    return any(coding.code in check.codes for coding in codings) or any(
        check.names_companion(text.lower()) for text in words
    )


def _displays(concept: CodeableConcept) -> tuple[str, ...]:
    return tuple(coding.display for coding in concept.coding if coding.display)
