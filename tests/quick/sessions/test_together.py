"""Several reasons at once before a session: the card stays short, and is critical exactly where something stops it."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cds_hooks.cards.builder import MAX_SUMMARY_LENGTH
from fhir_plugin.sessions.review import SessionReview, review_session
from mappings.schema.sessions import LEVELS
from tests.quick.sessions.test_cases import MOST_WORDS, cards_of, cases, decided
from tests.support.shipped import shipped

LISTS = ("conditions", "medications", "tests", "devices", "scores", "blood_pressure")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
COURSES = ["tms 20, 19, 18, 9, 8 days ago", "ketamine 17, 14, 10, 1 days ago", "esketamine 24, 21, 17 days ago"]
PIECES = sorted({(name, str(text)) for case in cases() for name in LISTS for text in case.get(name, [])})


@st.composite
def patients(draw: st.DrawFn) -> dict[str, Any]:
    """One to three courses, and any of what the test patients have."""
    case: dict[str, Any] = {
        "patient": "drawn",
        "sessions": draw(st.lists(st.sampled_from(COURSES), min_size=1, unique=True)),
    }
    for name, text in draw(st.lists(st.sampled_from(PIECES), max_size=14, unique=True)):
        case.setdefault(name, []).append(text)
    return case | ({"not_read": ["conditions"]} if draw(st.integers(0, 9)) == 0 else {})


@given(patients())
def test_whatever_comes_together_the_card_is_short_and_says_what_stops(case: dict[str, Any]) -> None:
    decision = decided(case)
    review = review_session(decision, shipped())
    cards = cards_of(decision)
    assert len(cards) <= 1
    stops = {treatment for item in review.reasons if item.level in LEVELS[:2] for treatment in item.treatments}
    for card in cards:
        assert len(card.summary) <= MAX_SUMMARY_LENGTH
        assert len(card.detail.split()) <= MOST_WORDS, card.detail
        assert not {"{", "…"} & set(card.summary + card.detail)
        assert (card.indicator == "critical") is bool(stops)
        assert all(shipped().treatments[treatment].short in card.summary for treatment in stops)
    assert not stops or cards


@given(patients())
def test_of_one_matter_each_course_shows_only_the_worst(case: dict[str, Any]) -> None:
    reasons = review_session(decided(case), shipped()).reasons
    shown = [(item.rule.about, treatment) for item in reasons for treatment in item.treatments]
    assert len(shown) == len(set(shown))
    assert [LEVELS.index(item.level) for item in reasons] == sorted(LEVELS.index(item.level) for item in reasons)


@given(patients())
def test_what_is_only_possible_is_never_a_stop_but_for_a_test_of_pregnancy(case: dict[str, Any]) -> None:
    for item in review_session(decided(case), shipped()).reasons:
        if item.hit.possible and item.level in LEVELS[:2]:
            assert item.rule.about == "pregnancy"


def days_of(review: SessionReview) -> set[str]:
    """The parts of the days that may be on the card."""
    spans = [item.hit.day for item in review.reasons if item.hit.day]
    days = [day for span in spans for day in span] + [
        day for course in review.courses for day in (course.first, course.last)
    ]
    return {part for day in days for part in (str(day.day), str(day.month), f"{day.month:02d}", str(day.year))}


@given(patients())
def test_every_number_is_from_the_record_or_from_the_rules(case: dict[str, Any]) -> None:
    decision = decided(case)
    review = review_session(decision, shipped())
    sources = shipped().sources
    values = {
        number for item in review.reasons for value in item.hit.values.values() for number in NUMBER.findall(value)
    }
    shorts = [sources[key].short or sources[key].citation for item in review.reasons for key in item.rule.sources]
    names = [form.instrument.short for form in shipped().instruments.forms.values()]
    said = [
        text
        for item in review.reasons
        for text in (item.rule.short, item.rule.possible, item.rule.action, item.rule.why)
    ]
    fixed = {number for text in (*shorts, *names, *said) for number in NUMBER.findall(text)}
    counts = {str(count) for count in range(1, len(review.reasons) + 2)} | {
        str(course.count) for course in review.courses
    }
    allowed = values | fixed | counts | days_of(review)
    for card in cards_of(decision):
        assert set(NUMBER.findall(f"{card.summary} {card.detail}")) <= allowed
