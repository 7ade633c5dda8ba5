"""Reads the case files beside the checks: one order and one patient each, for a pharmacist to read and to extend.

* ``order``: what the prescriber wrote. ``name``: what the order calls the drug or the service.
* ``fields``: the same as data: ``dose: 36 mg``, ``rate: 0.9 mg/min``, ``duration: 40 min``, ``frequency: 3 in 1 wk``,
  ``count``, ``quantity``, ``route``. ``dosage``: the member ``dosageInstruction`` as it was sent, whatever its shape.
* ``weight``: ``72 kg 3 days ago``. ``blood_pressure``, ``conditions``, ``scores``, ``medications``, ``not_read``,
  ``facts``: as in the cases of the criteria.
* ``given``: ``ketamine 6 times, every 3 days, last 10 days ago``. ``beside``, ``drugs_beside``: other drafts,
  by their words.
  ``services``: active orders for services on the record, ``... revoked`` for one that is not.
  ``drugs_ordered``: orders for drugs on the record, ``... on hold``, ``... stopped``, ``... without status``, and
  where a day is given ``... 15 days ago``.
* ``verdict``: ``ok``, ``deviates``, ``unknown``, ``silent``; ``because``: words that are said; ``far_out``: the card
  warns; ``critical``: it is critical; ``corrected``: the number that is suggested, or ``none``.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from fhir_plugin.deciding.assess import assess
from fhir_plugin.deciding.decide import Decision, decide
from fhir_plugin.deciding.recommend import recommend
from fhir_plugin.drafts.draft_orders import read_drafts
from fhir_plugin.drafts.ordered import OrderedTreatments, order_of
from fhir_plugin.order_checks.check import check_orders
from fhir_plugin.order_checks.result import CheckedOrder, OrderCheck
from fhir_plugin.record.record import Input, Record
from mappings.schema.load import Knowledge
from tests.support.knowledge.cases import facts_of, record_of
from tests.support.knowledge.charts import AS_OF, observation, resource
from tests.support.shipped import load_yaml

KEYS = {"order", "name", "fields", "weight", "blood_pressure", "conditions", "scores", "medications", "not_read",
        "facts", "given", "beside", "drugs_beside", "verdict", "because", "far_out", "corrected",
        "treatment", "protocol", "note", "services", "critical", "drugs_ordered", "dosage"}  # fmt: skip
NAMES = {"ketamine": "ketamine", "esketamine": "esketamine", "tms": "TMS"}


def read_order_cases(path: Path) -> list[dict[str, Any]]:
    """The cases of one file; a key that means nothing is an error."""
    cases: list[dict[str, Any]] = load_yaml(path)
    for case in cases:
        assert not case.keys() - KEYS, f"{path.name}: {case}"
    return cases


def checked(case: dict[str, Any], knowledge: Knowledge) -> CheckedOrder:
    """All checks of the order of a case."""
    ordered = order_of(_drafts(case), knowledge)
    decision = decision_of(case, knowledge, ordered)
    found = check_orders(ordered, decision, knowledge)
    return found[0] if found else CheckedOrder(reference="", treatment="", checks=())


def result_of(case: dict[str, Any], check: str, knowledge: Knowledge) -> OrderCheck | None:
    """One check of the order of a case; ``None`` where it says nothing."""
    return next((each for each in checked(case, knowledge).checks if each.check == check), None)


def decision_of(case: dict[str, Any], knowledge: Knowledge, ordered: OrderedTreatments) -> Decision:
    """What the record of a case leads to."""
    record = _record(case)
    protocol = case.get("protocol", knowledge.protocol)
    decision = decide(record, knowledge, as_of=AS_OF, protocol=protocol, ordered=ordered.treatments)
    if "facts" not in case:
        return decision
    given = facts_of({"patient": "", "facts": case["facts"]}, knowledge).named
    facts = replace(decision.facts, named={**decision.facts.named, **{name: given[name] for name in case["facts"]}})
    findings = assess(facts, knowledge)
    made = recommend(findings, knowledge.protocols[protocol], knowledge, ordered.treatments)
    return Decision(record, facts, findings, made)


def draft_of(case: dict[str, Any]) -> dict[str, Any]:
    """The draft order of a case as FHIR."""
    fields = case.get("fields", {})
    name = {"text": case.get("name", NAMES[case["treatment"]])}
    base = {"id": "draft-1", "status": "draft", "subject": {"reference": "Patient/p"}}
    if case["treatment"] == "tms":
        extra = {"quantityQuantity": {"value": fields["quantity"]}} if "quantity" in fields else {}
        return {"resourceType": "ServiceRequest", **base, "code": name, "occurrenceTiming": _timing(fields)} | extra
    dosage: dict[str, Any] = {"timing": _timing(fields)}
    if "order" in case:
        dosage["text"] = case["order"]
    if "route" in fields:
        dosage["route"] = {"text": fields["route"]}
    measured = {f"{key}Quantity": _quantity(fields[key]) for key in ("dose", "rate") if key in fields}
    if measured:
        dosage["doseAndRate"] = [measured]
    return {
        "resourceType": "MedicationRequest",
        **base,
        "medicationCodeableConcept": name,
        "dosageInstruction": case.get("dosage", [dosage]),
    }


def _drafts(case: dict[str, Any]) -> Any:
    others = [
        {"resourceType": "ServiceRequest", "id": f"other-{n}", "code": {"text": text}}
        for n, text in enumerate(case.get("beside", []))
    ]
    others += [
        {"resourceType": "MedicationRequest", "id": f"drug-{n}", "medicationCodeableConcept": {"text": text}}
        for n, text in enumerate(case.get("drugs_beside", []))
    ]
    entries = [(None, msgspec.Raw(json.dumps(each).encode())) for each in (draft_of(case), *others)]
    return read_drafts(entries, "p")


def _quantity(text: str) -> dict[str, Any]:
    value, unit = text.split(maxsplit=1)
    return {"value": float(value), "unit": unit}


def _timing(fields: dict[str, Any]) -> dict[str, Any]:
    repeat: dict[str, Any] = {}
    if "frequency" in fields:
        often, period, unit = re.fullmatch(r"(\d+) in (\d+) (\w+)", fields["frequency"]).groups()  # type: ignore[union-attr]
        repeat |= {"frequency": int(often), "period": int(period), "periodUnit": unit}
    if "duration" in fields:
        value, unit = fields["duration"].split()
        repeat |= {"duration": float(value), "durationUnit": unit}
    if "count" in fields:
        repeat["count"] = fields["count"]
    return {"repeat": repeat}


def _record(case: dict[str, Any]) -> Record:
    known = {key: case[key] for key in ("conditions", "scores", "medications", "not_read") if key in case}
    if "blood_pressure" in case:
        known["blood_pressure"] = [case["blood_pressure"]]
    # Something of each kind, because an empty list says nothing.
    record = record_of({"patient": "", "conditions": ["F33.1"], "medications": ["vitamin D 9 days ago"], "procedures": ["dressing"], **known})  # fmt: skip  # noqa: E501
    extra: dict[str, list[Any]] = {}
    if weight := re.fullmatch(r"([\d.]+) kg (\d+) days? ago", case.get("weight", "")):
        day = (AS_OF - timedelta(days=int(weight[2]))).isoformat()
        extra["observations"] = [resource(observation("29463-7", float(weight[1]), "kg", day))]
    for place, given in _given(case.get("given", "")):
        extra.setdefault(place, []).append(resource(given))
    extra["serviceRequests"] = [resource(_service(n, text)) for n, text in enumerate(case.get("services", []))]
    extra.setdefault("medicationRequests", []).extend(
        resource(_drug(n, text)) for n, text in enumerate(case.get("drugs_ordered", []))
    )
    inputs = {name: Input(read.state, (*read.resources, *extra.get(name, ()))) for name, read in record.inputs.items()}
    return Record(record.patient_id, inputs)


def _service(number: int, text: str) -> dict[str, Any]:
    status = "revoked" if text.endswith(" revoked") else "active"
    return {"resourceType": "ServiceRequest", "id": f"service-{number}", "status": status, "code": {"text": text}}


def _drug(number: int, text: str) -> dict[str, Any]:
    name, days = re.fullmatch(r"(.*?)(?: (\d+) days ago)?", text).groups()  # type: ignore[union-attr]
    states = {" on hold": "on-hold", " stopped": "stopped", " without status": None}
    status: str | None = "active"
    for ending, state in states.items():
        if name.endswith(ending):
            name, status = name.removesuffix(ending), state
    order: dict[str, Any] = {"resourceType": "MedicationRequest", "id": f"drug-on-record-{number}"}
    order |= {"status": status} if status else {}
    order |= {"medicationReference": {"reference": "Medication/x"}} if name == "?" else {"medicationCodeableConcept": {"text": name}}  # fmt: skip  # noqa: E501
    return order | ({"authoredOn": (AS_OF - timedelta(days=int(days))).isoformat()} if days else {})


def _given(text: str) -> list[tuple[str, dict[str, Any]]]:
    if not text:
        return []
    what, times, every, last = re.fullmatch(r"(\w+) (\d+) times, every (\d+) days, last (\d+) days? ago", text).groups()  # type: ignore[union-attr]  # fmt: skip
    days = [AS_OF - timedelta(days=int(last) + int(every) * number) for number in range(int(times))]
    if what == "tms":
        return [("procedures", _session("Procedure", day.isoformat(), code={"text": "TMS"}) | {"performedDateTime": day.isoformat()}) for day in days]  # fmt: skip  # noqa: E501
    return [
        (
            "medicationAdministrations",
            _session("MedicationAdministration", day.isoformat(), medicationCodeableConcept={"text": what})
            | {"effectiveDateTime": day.isoformat()},
        )
        for day in days
    ]


def _session(kind: str, day: str, **members: Any) -> dict[str, Any]:
    return {"resourceType": kind, "id": f"given-{day}", "status": "completed", **members}
