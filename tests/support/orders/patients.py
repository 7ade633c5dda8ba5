"""Small patients and their offers, from the case files beside the order templates.

Beside the keys of ``tests/knowledge/cases.py``:

* ``hook``, ``protocol``. ``drafts``: what the call brings, one of ``DRAFTS``.
* ``facts``: ``given`` leaves a fact as the record has it.
* ``expect``: ``offers`` by their ids in order; ``says``: words in the drafts of an offer; ``held``: words of what is
  not offered; ``takes_back``: offers that take a draft back; ``begins``: how every label begins.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Raw

from fhir_plugin.deciding.assess import assess
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.deciding.recommend import recommend
from fhir_plugin.drafts.draft_orders import read_drafts
from fhir_plugin.drafts.ordered import order_of
from fhir_plugin.facts.read import Facts
from fhir_plugin.orders.chart import Chart
from fhir_plugin.orders.offers import Offer, Offers, make_offers
from fhir_plugin.orders.templates import Templates
from fhir_plugin.record.record import Record
from mappings.schema.base.files import KNOWLEDGE
from mappings.schema.load import Knowledge
from tests.support.knowledge.cases import CPT, RXNORM, facts_of, record_of
from tests.support.shipped import load_yaml, shipped

LOINC = "http://loinc.org"
_TIMES = {"occurrenceTiming": {"repeat": {"count": 30}}}
_DOSE = {"dosageInstruction": [{"text": "40 mg"}]}


def _draft(name: str, kind: str, system: str, code: str, **more: Any) -> dict[str, Any]:
    what = {"coding": [{"system": system, "code": code}]}
    member = "medicationCodeableConcept" if kind == "MedicationRequest" else "code"
    return {"resourceType": kind, "id": f"draft-{name}", "status": "draft", "intent": "order", member: what} | more


DRAFTS = {
    "tms": _draft("tms", "ServiceRequest", CPT, "90867"),
    "tms with a schedule": _draft("tms", "ServiceRequest", CPT, "90868", **_TIMES),
    "ketamine": _draft("ketamine", "MedicationRequest", RXNORM, "6130"),
    "ketamine with a dose": _draft("ketamine", "MedicationRequest", RXNORM, "6130", **_DOSE),
    "esketamine": _draft("esketamine", "MedicationRequest", RXNORM, "2119365"),
    "blood pressure": _draft("pressure", "ServiceRequest", LOINC, "85354-9"),
    "vital signs in words": {"resourceType": "ServiceRequest", "id": "v", "code": {"text": "Vital signs q15min"}},
    "ketamine by mouth": {
        "resourceType": "MedicationRequest",
        "id": "oral",
        "medicationCodeableConcept": {"text": "ketamine 50 mg oral capsule"},
    },
    "phq9": _draft("phq9", "ServiceRequest", LOINC, "44249-1"),
}


def offers_of_case(case: dict[str, Any], knowledge: Knowledge) -> Offers:
    """What is offered for a small patient."""
    given = {name: value for name, value in case["facts"].items() if value != "given"}
    known = {key: value for key, value in case.items() if key not in ("drafts", "facts")}
    facts = facts_of(known | {"facts": given}, knowledge)
    drafts = [DRAFTS[name] for name in case.get("drafts", ())]
    protocol = case.get("protocol", knowledge.protocol)
    return offered(record_of(known), facts, knowledge, case["hook"], protocol, drafts)


def offered(
    record: Record,
    facts: Facts,
    knowledge: Knowledge,
    hook: str = "patient-view",
    protocol: str | None = None,
    drafts: Collection[dict[str, Any]] = (),
) -> Offers:
    """What is offered by the facts of a record at a hook."""
    chosen = protocol or knowledge.protocol
    read = read_drafts([(None, Raw(json.dumps(each).encode())) for each in drafts], record.patient_id)
    ordered = order_of(read, knowledge)
    findings = assess(facts, knowledge)
    made = recommend(findings, knowledge.protocols[chosen], knowledge, ordered.treatments)
    templates = shipped_templates(chosen) if knowledge is shipped() else Templates(knowledge, chosen)
    chart = Chart(Decision(record, facts, findings, made), knowledge, templates, ordered)
    return make_offers(chart, hook)


@cache
def shipped_templates(protocol: str) -> Templates:
    """Filled in once for each protocol, as a service does when it starts."""
    return Templates(shipped(), protocol)


def text_of(offer: Offer) -> str:
    """Everything that an offer says, as one text."""
    return json.dumps([[each.description, each.resource] for each in offer.actions], separators=(",", ":"))


def treating(offers: Offers) -> set[str]:
    """The treatments that are offered, the plan among them."""
    return {offer.id for offer in offers.offers if offer.treats}


FOLDER = KNOWLEDGE / "orders"


def cases_of(path: Path) -> list[dict[str, Any]]:
    """The cases of one file, each with what every patient has unless the case says otherwise."""
    content = load_yaml(path)
    usual = content["usual"]
    return [usual | case | {"facts": usual["facts"] | case.get("facts", {})} for case in content["cases"]]


CASES = [(path.stem, case) for path in sorted(FOLDER.glob("*.cases.yaml")) for case in cases_of(path)]
