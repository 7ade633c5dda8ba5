"""Dates relative to an anchor day."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_hooks.demo.moments import Moment, read_moment, series

ANCHOR = date(2026, 3, 31)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("T", "2026-03-31"),
        ("T-30d", "2026-03-01"),
        ("T+1d", "2026-04-01"),
        ("T-2w", "2026-03-17"),
        ("T-1mo", "2026-02-28"),
        ("T-13mo", "2025-02-28"),
        ("T-2y", "2024-03-31"),
        ("T-10y+2mo", "2016-05-31"),
        ("T-46y-115d", "1979-12-07"),
        ("T-1d 09:15", "2026-03-30T09:15:00-05:00"),
        ("T-3y (year)", "2023"),
        ("T-3mo (month)", "2025-12"),
    ],
)
def test_reads_the_notation(written: str, meant: str) -> None:
    assert str(read_moment(written, ANCHOR)) == meant


@pytest.mark.parametrize("text", ["", "TMS", "T-", "T-3", "T -3d", "T-3d 9:15", "To be taken daily", "T-3d (day)"])
def test_leaves_other_text_alone(text: str) -> None:
    assert read_moment(text, ANCHOR) is None


def test_a_series_every_so_many_days() -> None:
    days = [moment.day for moment in series(Moment(ANCHOR), 3, "7d")]
    assert days == [ANCHOR, ANCHOR + timedelta(days=7), ANCHOR + timedelta(days=14)]


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(1, 40))
def test_a_series_of_weekdays_has_no_weekend_and_leaves_out_no_weekday(first: date, times: int) -> None:
    days = [moment.day for moment in series(Moment(first), times, "weekday")]
    assert all(day.weekday() < 5 for day in days)
    assert len(set(days)) == times
    between = (first + timedelta(days=n) for n in range((days[-1] - first).days + 1))
    assert [day for day in between if day.weekday() < 5] == days
