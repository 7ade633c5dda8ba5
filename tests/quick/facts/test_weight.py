"""The weight that a dose may rest on: in kilograms, dated, recent, and surely the newest."""

from datetime import timedelta

import pytest

from fhir_plugin.facts.read import read_facts
from fhir_plugin.facts.weight import DosingWeight, dosing_weight
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, chart, observation

MOST_DAYS = 30


def weighed(knowledge: Knowledge, *contents: dict, **inputs: tuple[str, ...]) -> DosingWeight:
    return dosing_weight(read_facts(chart(*contents, **inputs), knowledge, AS_OF), MOST_DAYS, knowledge.wording)


def weight(value: float, unit: str, days_ago: int | None, **more: object) -> dict:
    when = None if days_ago is None else (AS_OF - timedelta(days=days_ago)).isoformat()
    return observation("29463-7", value, unit, when, **more)


def test_a_recent_weight_can_be_dosed_by(knowledge: Knowledge) -> None:
    found = weighed(knowledge, weight(81, "kg", 200), weight(80, "kg", 3))
    assert (found.kilograms, str(found.day), found.written) == (80, "2026-05-29", "")
    assert found.evidence[0].reference.startswith("Observation/")
    assert not found.missing


def test_a_weight_in_pounds_is_converted_and_shown_as_it_was_written(knowledge: Knowledge) -> None:
    found = weighed(knowledge, weight(176, "[lb_av]", 3))
    assert found.kilograms == pytest.approx(79.832, abs=0.001)
    assert found.written == "176 [lb_av]"


def test_on_the_last_day_it_counts_and_a_day_later_it_does_not(knowledge: Knowledge) -> None:
    assert weighed(knowledge, weight(80, "kg", MOST_DAYS)).kilograms == 80
    old = weighed(knowledge, weight(80, "kg", MOST_DAYS + 1))
    assert old.kilograms is None
    assert old.missing == ("the last body weight, of 2026-05-01, is older than 30 days",)


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        ([], "no body weight on the record"),
        ([weight(80, "kg", None)], "the last body weight has no date"),
        ([weight(80, "", 3)], "a body weight that may be newer cannot be used"),
        ([weight(80, "stone", 3)], "a body weight that may be newer cannot be used"),
        ([weight(800, "kg", 3)], "a body weight that may be newer cannot be used"),
        ([weight(80, "kg", 5), weight(12, "kg", 3)], "a body weight that may be newer cannot be used"),
        ([weight(176, "kg", 3) | {"valueQuantity": {"value": 176, "unit": "lb", "code": "kg"}}], "cannot be used"),
        (
            [weight(60, "kg", 3), weight(90, "kg", 3)],
            "the last body weight and the one before it, of 2026-05-29, are too far",
        ),
        (
            [weight(62, "kg", 33), weight(140, "kg", 3)],
            "the last body weight and the one before it, of 2026-04-29, are too",
        ),
    ],
    ids=[
        "none",
        "undated",
        "without a unit",
        "unknown unit",
        "implausible",
        "an older one behind an implausible one",
        "pounds coded as kilograms",
        "two on one day",
        "twice the weight in a month",
    ],
)
def test_a_weight_that_cannot_be_trusted_is_none(knowledge: Knowledge, contents: list[dict], why: str) -> None:
    found = weighed(knowledge, *contents)
    assert found.kilograms is None
    assert any(why in each for each in found.missing)


@pytest.mark.parametrize(
    "before",
    [
        [weight(72, "kg", 3)],
        [weight(72, "kg", 30)],
        [weight(62, "kg", 34)],
        [weight(62, "kg", 9), weight(79, "kg", 5)],
        [weight(176, "[lb_av]", 4)],
    ],
    ids=["a tenth apart on one day", "in a month", "longer ago", "weighed again", "in pounds"],
)
def test_a_weight_that_agrees_with_the_one_before_it_can_be_dosed_by(knowledge: Knowledge, before: list[dict]) -> None:
    assert weighed(knowledge, *before, weight(80, "kg", 3)).kilograms == 80


def test_a_weight_that_is_perhaps_not_the_newest_is_none(knowledge: Knowledge) -> None:
    assert weighed(knowledge, weight(80, "kg", 3), partial=("observations",)).kilograms is None
    assert weighed(knowledge, weight(80, "kg", 3), without=("observations",)).kilograms is None


def test_a_month_without_a_day_counts_by_its_first_day(knowledge: Knowledge) -> None:
    assert weighed(knowledge, weight(80, "kg", 0, effectiveDateTime="2026-05")).kilograms is None
