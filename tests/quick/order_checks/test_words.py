"""The numbers in the words of an order: looked for only where one can be, and found as if looked for everywhere."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given
from pydantic import ValidationError

from fhir_plugin.order_checks.words import matches, order_text
from mappings.schema.order_checks.model import MeasureReading, OrderReadingRules
from tests.support.shipped import shipped

CHECKS = shipped().order_checks
PIECES = (
    *(
        "0.5",
        "56",
        "1,000",
        ".5",
        "0,5",
        "5-",
        "40",
        "thirty",
        "six",
        "twice",
        "once",
        "x3",
        "x 6",
        "to",
        "or",
        "-",
        "/",
    ),
    *("mg", "mg/kg", "mg/h", "minutes", "kg", "weekly", "daily", "a week", "per", "for", "over", "weeks", "sessions"),
    *("every", "other day", "q2w", "rounded to", "IV", ",", "é", "infusion"),
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).flatmap(
    lambda pieces: st.lists(st.sampled_from((" ", "", "  ", "\n")), min_size=len(pieces), max_size=len(pieces)).map(
        lambda between: "".join(piece + blank for piece, blank in zip(pieces, between, strict=True))
    )
)


@given(TEXTS | st.text(max_size=40))
def test_a_pattern_finds_what_it_finds_everywhere(text: str) -> None:
    read = order_text(text, CHECKS)
    for measure, patterns in CHECKS.patterns.items():
        for pattern in patterns:
            expected = [match.span() for match in pattern.pattern.finditer(read.text)]
            assert [match.span() for match in matches(pattern, read)] == expected, measure


@pytest.mark.parametrize("measure", CHECKS.patterns)
def test_most_patterns_are_looked_for_at_numbers_alone(measure: str) -> None:
    if measure != "interval_days":
        assert any(pattern.needs_number for pattern in CHECKS.patterns[measure])
    assert not any(pattern.begins_with_number and not pattern.needs_number for pattern in CHECKS.patterns[measure])


@pytest.mark.parametrize("pattern", [r"({range})?\s*(?P<unit>mg)", r"{range}?\s*(?P<unit>mg)"])
def test_a_number_that_may_be_left_out_does_not_load(pattern: str) -> None:
    rules = CHECKS.reading.model_dump()
    units = CHECKS.reading.measures["dose_mg"].units
    rules["measures"]["dose_mg"] = MeasureReading(patterns=(pattern,), units=units).model_dump()
    with pytest.raises(ValidationError, match="by itself"):
        OrderReadingRules.model_validate(rules)
