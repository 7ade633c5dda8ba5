"""Which policies a Coverage leads to."""

from typing import Any

import pytest

from fhir_plugin.facts.coverage import read_coverages
from fhir_plugin.payers.checklist import MAX_COVERAGES, MAX_NAME_LENGTH, policies_for
from fhir_plugin.record.record import InputState
from mappings.schema.base.entries import Verification
from mappings.schema.load import Knowledge
from mappings.schema.payers.model import Matching
from tests.support.knowledge.charts import AS_OF, chart, patient


def coverage(payer: str | None = None, **more: Any) -> dict[str, Any]:
    """A Coverage in force."""
    payor = [{"display": payer}] if payer else [{"reference": "Organization/1"}]
    return {"resourceType": "Coverage", "id": "c1", "status": "active", "payor": payor} | more


def found(knowledge: Knowledge, treatment: str, *coverages: dict[str, Any]) -> list[str]:
    """The policies, by id."""
    covers = read_coverages(chart(patient(), *coverages), AS_OF).covers
    return [policy.id for policy in policies_for(covers, treatment, knowledge)]


@pytest.mark.parametrize(
    ("payer", "more", "tms", "esketamine"),
    [
        ("AETNA Better Health", {}, ["aetna.tms"], ["generic.esketamine"]),
        ("United-Healthcare of Ohio", {}, ["uhc.tms"], ["uhc.esketamine"]),
        ("Optum", {}, ["uhc.tms"], ["uhc.esketamine"]),
        ("Ambetter from Example", {}, ["ambetter.tms"], ["generic.esketamine"]),
        ("Ambetter", {"class": [{"name": "Silver, Nevada"}]}, ["ambetter_nevada.tms"], ["generic.esketamine"]),
        ("Independence Blue Cross", {"type": {"text": "PPO"}}, ["ibx.tms"], ["bcbs.esketamine"]),
        ("IBX", {"type": {"text": "Medicare Advantage"}}, ["ibx_advantage.tms"], ["generic.esketamine"]),
        ("Blue Cross Blue Shield of Texas", {}, ["hcsc.tms"], ["bcbs.esketamine"]),
        ("Blue Cross Blue Shield of Massachusetts", {}, ["generic.tms"], ["generic.esketamine"]),
        ("CareFirst BlueCross BlueShield", {}, ["generic.tms"], ["carefirst.esketamine"]),
        ("Medicare", {}, ["l34522.tms", "l34998.tms", "l37086.tms"], ["a59250.esketamine"]),
        ("Novitas Solutions", {}, ["l34998.tms"], ["generic.esketamine"]),
        ("Example Medicare Advantage", {}, ["generic.tms"], ["generic.esketamine"]),
        ("Example Mutual Health Plan", {}, ["generic.tms"], ["generic.esketamine"]),
        ("Caetnan Trust", {}, ["generic.tms"], ["generic.esketamine"]),
        (None, {}, ["generic.tms"], ["generic.esketamine"]),
    ],
)
def test_a_payer_by_its_words(
    payer: str | None, more: dict[str, Any], tms: list[str], esketamine: list[str], knowledge: Knowledge
) -> None:
    assert found(knowledge, "tms", coverage(payer, **more)) == tms
    assert found(knowledge, "esketamine", coverage(payer, **more)) == esketamine


def test_ketamine_has_no_generic_checklist(knowledge: Knowledge) -> None:
    assert found(knowledge, "ketamine", coverage("Example Mutual")) == []
    assert found(knowledge, "ketamine", coverage("BCBS MA")) == ["bcbsma.ketamine"]


def test_two_payers_may_both_apply(knowledge: Knowledge) -> None:
    second = coverage("Cigna", id="c2")
    assert found(knowledge, "esketamine", coverage("QualChoice"), second) == [
        "qualchoice.esketamine",
        "cigna.esketamine",
    ]


@pytest.mark.parametrize(
    "more",
    [
        {"status": "cancelled"},
        {"status": "entered-in-error"},
        {"status": "draft"},
        {"period": {"end": "2026-05-31"}},
        {"period": {"start": "2026-06-02"}},
    ],
)
def test_a_coverage_that_is_not_in_force_names_nobody(more: dict[str, Any], knowledge: Knowledge) -> None:
    assert read_coverages(chart(patient(), coverage("Cigna", **more)), AS_OF).covers == ()
    assert found(knowledge, "esketamine", coverage("Cigna", **more)) == ["generic.esketamine"]


@pytest.mark.parametrize("more", [{}, {"period": {"start": "2026-06-01", "end": "2026-06"}}, {"status": None}])
def test_a_coverage_in_force_counts(more: dict[str, Any]) -> None:
    assert [each.payer for each in read_coverages(chart(patient(), coverage("Cigna", **more)), AS_OF).covers] == [
        "Cigna"
    ]


def test_a_payer_that_is_contained_is_read(knowledge: Knowledge) -> None:
    inside = [
        5,
        {"resourceType": "Organization", "id": "o", "name": "Cigna", "identifier": [{"system": "s", "value": "1"}]},
    ]
    record = chart(patient(), coverage(payor=[{"reference": "#o"}], contained=raw(inside)))
    (cover,) = read_coverages(record, AS_OF).covers
    assert (cover.payer, cover.identifiers) == ("Cigna", frozenset({"s|1"}))


def raw(contents: list[Any]) -> list[Any]:
    import json

    import msgspec

    return [msgspec.Raw(json.dumps(each).encode()) for each in contents]


def test_a_payer_by_its_identifier() -> None:
    matching = Matching(names={Verification.SEEN: ("nobody",)}, identifiers=("urn:payers|42",))
    assert matching.fits("some trust", "", frozenset({"urn:payers|42"}))
    assert not matching.fits("some trust", "", frozenset({"urn:payers|43"}))


def test_names_and_coverages_without_end_are_not_looked_through(knowledge: Knowledge) -> None:
    assert found(knowledge, "esketamine", coverage("x" * MAX_NAME_LENGTH + " cigna")) == ["generic.esketamine"]
    many = [coverage(f"Trust {number}", id=f"a{number}") for number in range(MAX_COVERAGES)]
    assert found(knowledge, "esketamine", *many, coverage("Cigna", id="z")) == ["generic.esketamine"]
    assert found(knowledge, "esketamine", *many[1:], coverage("Cigna", id="z")) == ["cigna.esketamine"]


def test_a_coverage_that_was_not_read_is_missing() -> None:
    for record in (chart(patient(), without=("coverages",)), chart(patient(), partial=("coverages",))):
        assert read_coverages(record, AS_OF).missing
    assert read_coverages(chart(patient()), AS_OF).missing == ()
    assert InputState.PARTIAL in read_coverages(chart(patient(), partial=("coverages",)), AS_OF).missing[0]
