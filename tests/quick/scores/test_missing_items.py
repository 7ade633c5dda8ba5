"""Answer sets and every subset of missing items, against an independent count; ``nightly`` takes every answer set."""

from __future__ import annotations

from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_plugin.record.resources import QuestionnaireResponse
from fhir_plugin.scales.formulas import band_of, evaluate
from fhir_plugin.scales.scoring import score, score_values
from mappings.schema.instruments import Instruments
from tests.support.profiles import examples
from tests.support.scores.responses import response
from tests.support.shipped import shipped

BANDS = {
    "phq9": ["minimal"] * 5 + ["mild"] * 5 + ["moderate"] * 5 + ["moderately severe"] * 5 + ["severe"] * 8,
    "gad7": ["minimal"] * 5 + ["mild"] * 5 + ["moderate"] * 5 + ["severe"] * 7,
}


ANSWER_SETS = st.sampled_from(["phq9", "gad7"]).flatmap(
    lambda name: st.tuples(st.just(name), st.tuples(*[st.integers(0, 3)] * {"phq9": 9, "gad7": 7}[name]))
)


@examples(5)
@given(ANSWER_SETS)
def test_an_answer_set_gives_its_sum(drawn: tuple[str, tuple[int, ...]]) -> None:
    name, answers = drawn
    result = evaluate(shipped().instruments[name], answers)
    assert (result.total, result.missing) == (sum(answers), ())


@examples(5)
@given(st.lists(st.booleans(), min_size=16, max_size=16))
def test_qids_misses_a_domain_only_when_all_of_it_is_blank(kept: list[bool]) -> None:
    domains = [[0, 1, 2, 3], [4], [5, 6, 7, 8], [9], [10], [11], [12], [13], [14, 15]]
    values = [1 if keep else None for keep in kept]
    whole = all(any(kept[place] for place in domain) for domain in domains)
    assert evaluate(shipped().instruments["qids_sr16"], values).total == (9 if whole else None)


@pytest.mark.parametrize("name", ["phq9", "gad7"])
def test_every_total_has_its_band(instruments: Instruments, name: str) -> None:
    instrument = instruments[name]
    assert [band_of(instrument, total, None) for total in range(len(BANDS[name]))] == BANDS[name]
    assert band_of(instrument, len(BANDS[name]), None) is None


@pytest.mark.parametrize("name", ["phq9", "gad7", "madrs"])
def test_every_subset_of_missing_items_gives_no_total(instruments: Instruments, name: str) -> None:
    instrument = instruments[name]
    many = len(instrument.items)
    for kept in product((True, False), repeat=many):
        values = [2 if keep else None for keep in kept]
        scored = score_values(instrument, values)
        if all(kept):
            assert scored.total == 2 * many
        else:
            assert (scored.total, scored.severity, scored.lower_bound) == (None, None, 2 * sum(kept))
            assert {flag for flag in scored.flags if flag.startswith("missing:")} == {
                f"missing:{item.key}" for item, keep in zip(instrument.items, kept, strict=True) if not keep
            }


def test_every_subset_of_missing_answers_gives_no_total_in_a_response(instruments: Instruments) -> None:
    decoder = msgspec.json.Decoder(QuestionnaireResponse)
    instrument = instruments["phq9"]
    for kept in product((3, None), repeat=9):
        scored = score(decoder.decode(response(instruments, instrument, kept)), instruments)
        assert scored.total == (None if None in kept else 27)
        assert scored.suicide_positive is (True if kept[8] else None)


def test_the_screener_reaches_the_gravest_level_that_is_answered(instruments: Instruments) -> None:
    instrument = instruments["cssrs_screener"]
    for values in product((0, 1), repeat=7):
        one, two, three, four, five, lifetime, recent = values
        expected = (
            "high" if four or five or recent else "moderate" if three or lifetime else "low" if one or two else "none"
        )
        scored = score_values(instrument, values)
        assert (scored.severity, scored.suicide_positive) == (expected, expected != "none")


@pytest.mark.parametrize(("missing", "expected"), [(1, 16), (2, 18), (3, None)])
def test_prorating_is_off_unless_asked_for(instruments: Instruments, missing: int, expected: int | None) -> None:
    values = {1: [2, 2, 2, 2, 2, 2, None, 2, 0], 2: [2] * 7 + [None] * 2, 3: [2] * 6 + [None] * 3}[missing]
    assert score_values(instruments["phq9"], values).total is None
    scored = score_values(instruments["phq9"], values, prorate=True)
    assert (scored.total, "prorated" in scored.flags) == (expected, expected is not None)


def test_prorating_never_makes_up_for_a_wrong_answer(instruments: Instruments) -> None:
    scored = score_values(instruments["phq9"], [2] * 8 + [None], ["out_of_range:44260-8"], prorate=True)
    assert scored.total is None
