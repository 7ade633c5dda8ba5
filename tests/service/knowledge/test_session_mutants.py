"""Each number of a rule before a session, and each treatment to which it applies, is held by a test patient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from fhir_plugin.deciding.decide import Decision
from fhir_plugin.sessions.review import review_session
from mappings.schema.load import Knowledge
from mappings.schema.sessions import Sessions
from tests.quick.sessions.test_cases import cases, decided
from tests.support.shipped import shipped

Found = tuple[tuple[str, str, tuple[str, ...], bool], ...]


@cache
def decisions() -> tuple[Decision, ...]:
    return tuple(decided(case) for case in cases())


def found_by(knowledge: Knowledge) -> list[Found]:
    reviews = (review_session(decision, knowledge) for decision in decisions())
    return [
        tuple((item.rule.id, item.level, item.treatments, item.hit.possible) for item in review.reasons)
        for review in reviews
    ]


@cache
def unchanged() -> list[Found]:
    return found_by(shipped())


def _numbers(check: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (value for value in check.values() if isinstance(value, dict) and "value" in value)
    yield from (phase["days"] for phase in check.get("phases", ()))


def mutants() -> Iterator[Any]:
    """The rules with one number a little larger or smaller, or without one of several treatments."""
    for place, rule in enumerate(shipped().sessions.rules):
        whole = shipped().sessions.model_dump()
        for index, number in enumerate(_numbers(whole["rules"][place]["check"])):
            for step in (-1, 1):
                if number["value"] + step < 0:
                    continue
                changed = shipped().sessions.model_dump()
                list(_numbers(changed["rules"][place]["check"]))[index]["value"] += step
                yield pytest.param(changed, id=f"{rule.id}-{index}{step:+d}")
        for treatment in rule.treatments if len(rule.treatments) > 1 else ():
            changed = shipped().sessions.model_dump()
            changed["rules"][place]["treatments"] = [name for name in rule.treatments if name != treatment]
            yield pytest.param(changed, id=f"{rule.id}-not-{treatment}")


@pytest.mark.parametrize("changed", list(mutants()))
def test_a_small_change_is_noticed_by_a_patient(changed: dict[str, Any]) -> None:
    knowledge = replace(shipped(), sessions=Sessions.model_validate(changed))
    assert found_by(knowledge) != unchanged()
