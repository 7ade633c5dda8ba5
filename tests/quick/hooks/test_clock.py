"""The day of a call: nothing that was measured already lies in the future."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from cds_hooks.protocol.clock import today


@pytest.fixture(params=["America/Los_Angeles", "UTC", "Pacific/Auckland"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_an_instant_of_this_moment_in_utc_is_never_tomorrow(zone: str) -> None:
    evening_in_california = datetime(2026, 1, 16, 3, 0, tzinfo=UTC)
    assert today(evening_in_california) >= date(2026, 1, 16)


def test_the_local_day_counts_where_it_is_ahead(zone: str) -> None:
    morning_in_auckland = datetime(2026, 1, 15, 20, 0, tzinfo=UTC)
    expected = date(2026, 1, 16) if zone == "Pacific/Auckland" else date(2026, 1, 15)
    assert today(morning_in_auckland) == expected
