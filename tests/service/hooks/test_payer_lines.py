"""The lines about payers' checklists: only beside a treatment, only with a Coverage, and nothing else changes."""

import re
from typing import Any

import pytest

from cds_hooks.demo.stories import demo_patients
from tests.support.hooks.calls import (
    DAY,
    ESKETAMINE,
    KETAMINE,
    ORDER_SIGN,
    PATIENT_VIEW,
    SERTRALINE,
    TMS,
    body,
    cards,
    check,
    client,
    order,
)

NAMES = [patient.id for patient in demo_patients(DAY)]
_LINES = re.compile(r"\n\n(Payer checklist that may apply|More policies that may apply)[^\n]*")


def lines(found: list[dict[str, Any]]) -> list[str]:
    return [match.group().strip() for card in found for match in _LINES.finditer(card["detail"])]


def paid_by(url: str, patient: str, coverage: dict[str, Any] | None, *drafts: dict[str, Any]) -> list[dict[str, Any]]:
    """The cards when this is the only Coverage; ``None``: there is none."""
    request = body(url, patient, *drafts)
    entries = [{"resource": coverage}] if coverage else []
    request["prefetch"]["coverages"] = {"resourceType": "Bundle", "entry": entries}
    return check(client().post(url, json=request).json())


def cover(patient: str, payer: str) -> dict[str, Any]:
    beneficiary = {"reference": f"Patient/{patient}"}
    return {"resourceType": "Coverage", "id": "c", "status": "active", "beneficiary": beneficiary, "payor": [{"display": payer}]}  # fmt: skip  # noqa: E501


def without_lines(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What the cards say and offer, the lines and the identifiers aside."""
    return [
        (
            card["summary"],
            card["indicator"],
            _LINES.sub("", card["detail"]),
            [suggestion["label"] for suggestion in card.get("suggestions", ())],
            card.get("links"),
        )
        for card in found
    ]


@pytest.mark.parametrize("patient", NAMES)
def test_a_coverage_turns_no_card_on_or_off_and_changes_no_other_word(patient: str) -> None:
    for url, drafts in (
        (PATIENT_VIEW, ()),
        (ORDER_SIGN, (order(TMS, patient),)),
        (ORDER_SIGN, (order(KETAMINE, patient),)),
    ):
        without = paid_by(url, patient, None, *drafts)
        assert not lines(without)
        for payer in ("Ambetter", "Medicare", "BCBS MA", "Example Trust"):
            with_one = paid_by(url, patient, cover(patient, payer), *drafts)
            assert without_lines(with_one) == without_lines(without)


def test_the_policy_of_the_payer_is_named_with_its_dates_and_what_is_open() -> None:
    (line,) = lines(cards(ORDER_SIGN, "two-failures", order(TMS, "two-failures")))
    assert "**Ambetter/Centene CP.BH.200, TMS**" in line
    assert "6 met, 0 not met, 2 unknown" in line
    assert "Check the current policy." in line


def test_nothing_is_said_of_ketamine_where_no_policy_is_known() -> None:
    assert not lines(cards(ORDER_SIGN, "two-failures", order(KETAMINE, "two-failures")))
    assert lines(paid_by(ORDER_SIGN, "two-failures", cover("two-failures", "BCBS MA"), order(KETAMINE, "two-failures")))


def test_more_policies_than_lines_are_counted() -> None:
    found = lines(paid_by(ORDER_SIGN, "two-failures", cover("two-failures", "Medicare"), order(TMS, "two-failures")))
    assert len(found) == 3
    assert found[-1] == "More policies that may apply: 1."


def test_what_is_contraindicated_has_no_checklist() -> None:
    assert not lines(cards(ORDER_SIGN, "past-psychosis", order(ESKETAMINE, "past-psychosis")))
    assert lines(cards(ORDER_SIGN, "past-psychosis", order(TMS, "past-psychosis")))


def test_another_antidepressant_is_not_a_matter_for_these_checklists() -> None:
    assert not lines(cards(ORDER_SIGN, "two-failures", order(SERTRALINE, "two-failures")))


def test_another_patients_coverage_is_not_read() -> None:
    assert not lines(paid_by(PATIENT_VIEW, "two-failures", cover("somebody-else", "Ambetter")))


@pytest.mark.parametrize("supplied", [None, {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}, []])
def test_a_coverage_that_cannot_be_read_says_nothing(supplied: Any) -> None:
    request = body(PATIENT_VIEW, "two-failures")
    request["prefetch"]["coverages"] = supplied
    found = check(client().post(PATIENT_VIEW, json=request).json())
    assert not lines(found)
    assert "coverages" not in found[0]["detail"]


def test_the_words_of_the_payer_are_not_on_the_card() -> None:
    coverage = cover("two-failures", "Ambetter <script>alert(1)</script>")
    card, *_ = paid_by(PATIENT_VIEW, "two-failures", coverage)
    assert lines([card])
    assert "script" not in card["detail"]
