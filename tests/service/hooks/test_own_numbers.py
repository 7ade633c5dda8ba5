"""A site's own numbers on a card, and orders that only their words name."""

from __future__ import annotations

import json
from pathlib import Path

from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Detail, Settings
from mappings.schema.load import load_knowledge
from tests.support.hooks.calls import DAY, KETAMINE, ORDER_SIGN, body, cards, check, order

HYPERTENSION = "uncontrolled-hypertension"


def test_a_site_decides_its_own_numbers_and_the_card_says_so(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        """
reviewed: 2026-01-01
review_due: 2027-01-01
answers_for_it: Test committee
criteria:
  blood_pressure.hold:
    limits.systolic: {value: 175, source: design, verification: design}
    limits.diastolic: {value: 110, source: design, verification: design}
"""
    )
    own = load_knowledge(site=site)
    local, whole = (
        TestClient(create_app(Settings(site=site, detail=each), own, today=lambda: DAY)) for each in DETAILS
    )
    request = body(ORDER_SIGN, HYPERTENSION, order(KETAMINE, HYPERTENSION))
    (card,) = check(local.post(ORDER_SIGN, json=request).json())
    assert card["indicator"] == "info"
    assert card["summary"].startswith("Ketamine: criteria met; to weigh: hypertension")
    nearer = json.loads(json.dumps(request).replace("172", "178"))
    (card,) = check(local.post(ORDER_SIGN, json=nearer).json())
    assert card["summary"].startswith("Ketamine: hold. BP 178/104")
    assert "this site's own" in card["detail"]
    (card,) = check(whole.post(ORDER_SIGN, json=nearer).json())
    assert "above 175/110 mmHg. The limit is this site's own." in card["detail"]


DETAILS: tuple[Detail, ...] = ("brief", "full")


def test_an_order_is_known_by_the_name_of_its_code_though_a_text_stands_before_it() -> None:
    concept = {"coding": [{"system": "urn:local", "code": "7", "display": "ketamine (KETALAR) infusion"}]}
    (card,) = cards(ORDER_SIGN, "two-failures", order(concept | {"text": "Per protocol"}, "two-failures"))
    assert card["summary"].startswith("Ketamine:")


def test_an_order_in_words_for_both_treatments_is_an_order_for_both() -> None:
    both = {"text": "Ketamine infusion with rTMS session"}
    (card,) = cards(ORDER_SIGN, "cochlear-implant", order(both, "cochlear-implant"))
    assert (card["indicator"], card["summary"][:20]) == ("critical", "TMS: contraindicated")
