"""Every order template against the test patients beside it."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.schema.load import Knowledge
from tests.support.knowledge.cases import KEYS
from tests.support.orders.patients import CASES, offers_of_case, text_of
from tests.support.shipped import shipped

EXPECTED = {"offers", "says", "held", "takes_back", "begins"}


@pytest.mark.parametrize(("file", "case"), CASES, ids=[f"{file}: {case['patient']}" for file, case in CASES])
def test_a_test_patient(file: str, case: dict[str, Any], knowledge: Knowledge) -> None:
    assert not case.keys() - KEYS - {"drafts"}
    expect = case["expect"]
    assert not expect.keys() - EXPECTED
    offers = offers_of_case(case, knowledge)
    assert [offer.id for offer in offers.offers] == expect["offers"], offers.held
    by_id = {offer.id: offer for offer in offers.offers}
    for offer, words in expect.get("says", {}).items():
        for said in words:
            assert said in text_of(by_id[offer])
    assert expect.get("held", "") in " ".join(offers.held)
    assert ("held" in expect) == bool(offers.held), offers.held
    taken = [offer.id for offer in offers.offers if any(each.takes_back for each in offer.actions)]
    assert taken == expect.get("takes_back", taken)
    for offer in offers.offers:
        assert offer.label.startswith(expect.get("begins", ""))


def test_every_template_has_a_patient() -> None:
    orders = shipped().orders
    named = {offer for _, case in CASES for offer in case["expect"]["offers"]}
    assert named >= {*orders.by_id, *orders.data, "plan"}
