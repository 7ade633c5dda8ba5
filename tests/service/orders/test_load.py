"""Order templates that name what is not there do not load, nor numbers of a site that no order could hold."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from mappings.schema.base.entries import KnowledgeError
from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.load import Knowledge, load_knowledge
from mappings.schema.orders import load_orders
from mappings.schema.orders.checking import check_orders, order_source_keys
from tests.support.orders.patients import CASES, offers_of_case, text_of

SITE = """reviewed: 2026-05-01
review_due: 2027-05-01
answers_for_it: medication safety committee
sources:
  committee: {{citation: Minutes of May, kind: this product, grade: not graded, read: in full, supports: Our limits.}}
parameters:
  safer_reading:
    {name}: {{low: {low}, unit: {unit}, source: committee, verification: design}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "orders"
    shutil.copytree(KNOWLEDGE / "orders", copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return copy


def load(folder: Path, knowledge: Knowledge) -> None:
    """Read the templates of a folder and hold them against the rest of the knowledge, as a start does."""
    orders = load_orders(folder)
    check_orders(orders, knowledge.protocols, knowledge.criteria, knowledge.instruments, knowledge.treatments)
    for where, key in order_source_keys(orders):
        if key not in knowledge.sources:
            raise KnowledgeError(f"{where}: no source {key!r}")


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("tms.yaml", '"90868"', '"90899"', r"tms\.yaml: sessions\.codes: not a code of tms"),
        ("tms.yaml", "count: tms.sessions", "count: tms.weeks", r"parameters\.tms\.weeks\.unit: an order uses it in"),
        ("tms.yaml", "source: va_spprite", "source: hearsay", r"tms\.yaml: mapping\.codes: no source 'hearsay'"),
        ("tms.yaml", "{tms.sessions} over", "{tms.seasons} over", r"tms\.yaml: no parameter 'tms\.seasons'"),
        ("tms.yaml", "{tms.sessions} over", "{tms.sessions over", r"tms\.yaml: .*a field is the name"),
        ("tms.yaml", "treatment.tms_under_way", "treatment.tms_gone", r"tms\.yaml: unless: no criterion"),
        ("tms.yaml", "along: [scales]", "along: [ketamine]", r"tms\.yaml: along"),
        ("tms.yaml", "treatment: tms", "treatment: music", r"tms\.yaml: treatment: no protocol treats of"),
        ("ketamine.yaml", "round_to:", "round_down_to:", r"ketamine\.yaml: "),
        ("ketamine.yaml", "value: 100, source: va_spprite", "value: 100, source: rumour", r"infusion\.highest"),
        ("scales.yaml", "[phq9, madrs]", "[phq9, mood_ring]", r"scales\.yaml: scale\.instruments: no instrument"),
        ("_data.yaml", "  cssrs:", "  horoscope:", r"_data\.yaml: horoscope: no criterion asks for it"),
        ("_words.yaml", "weight_datum: weight", "weight_datum: mass", r"_words\.yaml: weight_datum"),
        ("_words.yaml", "reason: depression.current", "reason: depression.past", r"_words\.yaml: reason"),
    ],
)  # fmt: skip
def test_a_wrong_template_is_named_with_its_key(
    folder: Path, knowledge: Knowledge, file: str, old: str, new: str, message: str
) -> None:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    load(folder, knowledge)
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(KnowledgeError) as fault:
        load(folder, knowledge)
    assert re.search(message, str(fault.value)), str(fault.value)


def test_the_sources_of_templates_are_checked_at_start(knowledge: Knowledge) -> None:
    used = {source for _, source in order_source_keys(knowledge.orders)}
    assert used <= knowledge.sources.keys()
    assert {"spravato_label", "andrade_2017", "loinc", "va_spprite"} <= used


def local(tmp_path: Path, name: str, low: str, unit: str) -> Knowledge:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(name=name, low=low, unit=unit), encoding="utf-8")
    return load_knowledge(site=path)


def test_a_site_s_own_number_is_ordered_and_marked(tmp_path: Path) -> None:
    case = next(case for _, case in CASES if case["patient"] == "Severe, 80 kg")
    offers = offers_of_case(case, local(tmp_path, "ketamine.dose_per_kg", "0.4", "mg/kg"))
    ketamine = next(offer for offer in offers.offers if offer.id == "ketamine")
    assert "32 mg intravenously" in text_of(ketamine)
    assert "0.4 mg/kg (this site's own) x 80 kg" in text_of(ketamine)
    slower = offers_of_case(case, local(tmp_path, "ketamine.infusion", "60", "min"))
    assert "over 60 min (this site's own) (0.67 mg/min)" in text_of(slower.offers[1])


def test_a_site_s_own_age_of_a_weight_decides(tmp_path: Path) -> None:
    case = next(case for _, case in CASES if case["patient"] == "Weighed a day too long ago")
    offers = offers_of_case(case, local(tmp_path, "ketamine.weight_max_age", "60", "days"))
    assert [offer.id for offer in offers.offers] == ["plan", "ketamine", "esketamine"]


@pytest.mark.parametrize(
    ("name", "low", "unit", "message"),
    [
        ("tms.sessions", "30.5", "sessions", r"tms\.sessions: an order needs whole sessions"),
        ("ketamine.dose_per_kg", "0", "mg/kg", r"ketamine\.dose_per_kg: an order needs a number above 0"),
        ("ketamine.dose_per_kg", "-0.5", "mg/kg", r"ketamine\.dose_per_kg: an order needs a number above 0"),
    ],
)
def test_a_site_s_number_that_no_order_can_hold_does_not_load(
    tmp_path: Path, name: str, low: str, unit: str, message: str
) -> None:
    with pytest.raises(KnowledgeError) as fault:
        local(tmp_path, name, low, unit)
    assert re.search(message, str(fault.value)), str(fault.value)
