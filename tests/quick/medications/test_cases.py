"""The cases that stand beside the medication tables, each a patient a pharmacist can read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.medications.checks import cases, check
from tests.support.shipped import shipped

KNOWN = shipped().medications
CASES = cases()
LEAST_CASES = 120


@pytest.mark.parametrize("case", CASES.values(), ids=[case["id"] for case in CASES.values()])
def test_case(case: dict[str, Any]) -> None:
    check(case, KNOWN)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= LEAST_CASES
    assert {f"E{number:02d}" for number in range(1, 26)} - {"E19"} <= set(CASES)
