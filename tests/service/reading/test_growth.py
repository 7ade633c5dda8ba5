"""Work grows with the length of an input, not with its square: each list of each input is doubled.

Counted are steps of the interpreter. What is the same for any length is left out: from ``_LENGTH`` to twice as many
elements the work may grow by some steps, and from there to four times as many by about twice those.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from fhir_plugin.courses.drawing import picture
from fhir_plugin.facts.days.claims import _groups
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.scores.read import ScoreHistory
from fhir_plugin.record.bundles import RESOURCE_TYPES
from fhir_plugin.record.dates import DaySpan
from tests.support.growth.lists import PATIENT, LongList, bundle, examples, lists_in, long_lists, request_with
from tests.support.growth.steps import steps
from tests.support.hooks.calls import DAY, answered, called, knowledge

_LENGTH = 24
_MOST = 2.2
_FEW = 4
"""Steps for each element: a list that is only copied, or of which only the first elements are read, takes fewer."""
_OFTEN = frozenset(
    {
        "drafts[ketamine], alike",
        "observations[phq9], alike",
        "observations[madrs], times",
        "observations[item], times",
        "observations[madrs], alike",
        "medicationAdministrations[infusion], times",
        "procedures[stimulation], apart",
        "observations[phq9].hasMember, alike",
        "medicationRequests[sertraline], times",
        "medicationRequests[sertraline].dosageInstruction, alike",
        "questionnaireResponses[answers].item, alike",
    }
)
"""Those that once grew with the square, and the longest of inner lists."""


def _rows() -> Iterator[Any]:
    for number, long in enumerate(long_lists()):
        hook = ("order-sign", "encounter-start", "patient-view", "order-select")[number % 4]
        often = str(long) in _OFTEN
        yield pytest.param(
            long, "order-sign" if often else hook, id=str(long), marks=() if often else pytest.mark.nightly
        )


@pytest.mark.parametrize(("long", "hook"), list(_rows()))
def test_the_work_doubles_where_a_list_doubles(long: LongList, hook: str) -> None:
    assert growth(long, hook) <= _MOST


@pytest.mark.parametrize("two", ["reasons", "ingredients", "conditions", "swapped"])
def test_the_work_doubles_where_two_lists_that_refer_to_each_other_double(two: str) -> None:
    assert _growth(lambda length: _referring(two, length)) <= _MOST


def _referring(two: str, length: int) -> dict[str, Any]:
    request = request_with(LongList("medicationRequests", "sertraline", (), "alike"), 0)
    order = request["prefetch"]["medicationRequests"]["entry"][0]["resource"]
    inside = [{"reference": f"#inside-{number}"} for number in range(length)]
    if two == "reasons":
        order["contained"] = [{"resourceType": "Condition", "id": each["reference"][1:]} for each in inside]
        order["reasonReference"] = inside
    elif two == "ingredients":
        del order["medicationCodeableConcept"]
        order["medicationReference"] = {"reference": "#whole"}
        ingredients = [{"itemReference": each} for each in inside]
        order["contained"] = [{"resourceType": "Medication", "id": each["reference"][1:]} for each in inside]
        order["contained"].append({"resourceType": "Medication", "id": "whole", "ingredient": ingredients})
    elif two == "conditions":
        many = request_with(LongList("conditions", "depression", (), "alike"), length)["prefetch"]["conditions"]
        request["prefetch"]["conditions"] = many
        draft = request["context"]["draftOrders"]["entry"][0]["resource"]
        draft["reasonReference"] = [{"reference": f"Condition/depression-{number}"} for number in range(length)]
    else:
        request["prefetch"]["observations"] = bundle(_swapped(length))
    return request


def _swapped(length: int) -> Iterator[dict[str, Any]]:
    """Pressures that are the wrong way round, minute by minute."""
    for number, (code, value) in itertools.product(range(length), (("8480-6", 70), ("8462-4", 120))):
        yield {
            "resourceType": "Observation",
            "id": f"{code}-{number}",
            "status": "final",
            "subject": {"reference": f"Patient/{PATIENT}"},
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "effectiveDateTime": f"2026-01-10T{number // 60:02}:{number % 60:02}:00Z",
            "valueQuantity": {"value": value, "code": "mm[Hg]"},
        }


def growth(long: LongList, hook: str) -> float:
    """How many times as many steps the second doubling of a list costs as the first."""
    return _growth(lambda length: request_with(long, length, hook))


def _growth(request: Callable[[int], dict[str, Any]]) -> float:
    """Where the last doubling costs too much, one more tells a square from a step that is taken once."""
    calls = [called(request(length)) for length in (4 * _LENGTH, _LENGTH, 2 * _LENGTH, 4 * _LENGTH)]
    _warm, *works = (steps(lambda call=call: answered(call)) for call in calls)  # type: ignore[misc]
    grown = _times(*works)
    if grown <= _MOST:
        return grown
    longest = called(request(8 * _LENGTH))
    return min(grown, _times(*works[1:], steps(lambda: answered(longest))))


def _times(one: int, two: int, four: int) -> float:
    """How many times as many steps the second doubling costs as the first; 0 where it costs hardly any."""
    first, second = two - one, four - two
    return second / max(first, 1) if second > _FEW * 2 * _LENGTH else 0.0


def _doubled(action: Callable[[int], Callable[[], object]]) -> float:
    """How many times as many steps an action costs from twice to four times a length as from once to twice."""
    once, twice, four = (steps(action(length)) for length in (_LENGTH, 2 * _LENGTH, 4 * _LENGTH))
    return (four - twice) / (twice - once)


def test_the_work_of_a_picture_doubles_where_totals_and_forms_without_one_double() -> None:
    def drawn(length: int) -> Callable[[], object]:
        days = [DAY - timedelta(days=number) for number in range(2 * length, 0, -1)]
        assessments = tuple(
            Assessment(
                instrument="phq9", total=None if number % 2 else 12.0, day=DaySpan(day, day), reference=f"x/{number}"
            )
            for number, day in enumerate(days)
        )
        scores = ScoreHistory(assessments, knowledge().instruments, DAY)
        return lambda: picture(scores, (), knowledge().treatments)

    assert _doubled(drawn) <= _MOST


def test_the_work_doubles_where_orders_that_may_be_taken_together_double() -> None:
    """Each of many orders beside one that is filled again and again."""

    def grouped(length: int) -> Callable[[], object]:
        exposures: list[Any] = [
            SimpleNamespace(prescription=SimpleNamespace(key=key), window=SimpleNamespace(start=number * 10))
            for number in range(length)
            for key in ((number,), ("again",))
        ]
        return lambda: _groups(exposures, 7)

    assert _doubled(grouped) <= _MOST


@pytest.mark.parametrize("words", ["no acute, ", "denied, ", "no falls since 2019, or ", "mother, "])
def test_the_work_doubles_where_the_denials_of_one_clause_double(words: str) -> None:
    """From so many on that the rest of a list is not looked at by each of them."""
    hints = knowledge().value_sets.hints
    assert _doubled(lambda length: lambda: hints.senses("mania " + words * 4 * length)) <= _MOST


def test_each_list_that_is_read_is_made_longer() -> None:
    """A list that a view reads has an example, so that no list is forgotten."""
    found = {
        (resource["resourceType"], *(step for step in path if isinstance(step, str)))
        for resources in examples().values()
        for resource in resources
        for path in lists_in(resource)
    }
    kinds = {resource["resourceType"] for resources in examples().values() for resource in resources}
    missing = {
        (name, field)
        for name, view in RESOURCE_TYPES.items()
        if name in kinds
        for field in _lists_of(view)
        if (name, field) not in found
    }
    assert missing == set()


def _lists_of(view: type) -> Iterator[str]:
    kind = msgspec.inspect.type_info(view)
    assert isinstance(kind, msgspec.inspect.StructType)
    for field in kind.fields:
        if isinstance(field.type, msgspec.inspect.VarTupleType):
            yield field.encode_name


def test_all_that_is_asked_often_is_there() -> None:
    assert {str(long) for long in long_lists()} >= _OFTEN
