"""Reads the case files beside the knowledge: small patients, written so that a clinician can read and add to them.

* ``conditions``: ``F20.0``, ``F23 resolved``, ``F20.9 unconfirmed``, ``Z33.1 since 2026-03-01``, ``R56.9 undated``,
  ``F31.12 since 2015-01-01 recorded 2026-05-31``, ``F30.9 without status``; a number is SNOMED CT,
  ``CPT 99999 words`` a billing code, anything else is words without a code. ``procedures`` and ``devices`` alike.
* ``blood_pressure``: ``140/90 10 days ago``. ``scores``: ``phq9 14 10 days ago``. ``born``: the date of birth.
* ``weights``: ``80 kg 3 days ago``. ``gender``: as FHIR has it.
* ``sessions``: treatments given, ``esketamine 20, 16, 13 days ago``, ``tms 9, 8 days ago``.
* ``allergies``: ``rxnorm 6130``, or words; then ``type intolerance``, ``criticality high``, ``severity severe``, and
  last ``reaction vivid dreams``.
* ``tests``: pregnancy tests, ``positive 20 days ago``; after ``status`` the status of the result. With
  ``breastfeeding:`` the answer to that question.
* ``labs``: ``bilirubin 6.1 mg/dL 5 days ago``. ``drug_screens``: tests without a code, ``positive 5 days ago``.
* ``tms_safety``: the numbers of the questions with a yes, ``none 5 days ago``, ``1, 6 5 days ago``; after ``without``
  those that were left blank.
* ``doubt``: why it is unknown, ``ask`` where it is learnt only by asking.
* ``dispenses``: ``lorazepam 60 days ago``, ``lorazepam supply 30 20 days ago``.
* ``medications``: orders, ``lorazepam 60 days ago``, ``lorazepam stopped 60 days ago``,
  ``quetiapine for F20.0 60 days ago``.
* ``not_read``: inputs that were not retrieved.
* ``facts``: the value of a fact itself, ``2``, ``1-3`` or ``at least 1`` for counts, ``current``, ``past``,
  ``possible``, ``none`` or ``unknown`` for presences.

Nothing said, the problem list holds one entry that no topic knows, and everything else is empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from fhir_plugin.facts.fact import Count, Evidence, Fact, FactValue, Presence
from fhir_plugin.facts.read import Facts, read_facts
from fhir_plugin.record.record import Record
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, ICD, SCT, chart, condition, observation, patient, pressure
from tests.support.shipped import load_yaml

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CPT = "http://www.ama-assn.org/go/cpt"
KEYS = {"patient", "verdict", "doubt", "because", "born", "conditions", "procedures", "devices", "blood_pressure",
        "scores", "not_read", "facts", "expect", "ordered", "allergies", "medications", "tests", "dispenses",
        "weights", "gender", "sessions", "hook", "protocol", "labs", "drug_screens", "tms_safety"}  # fmt: skip
TOTALS = {
    "phq9": "44261-6",
    "madrs": "madrs-total",
    "hamd17": "hamd17-total",
    "qids_sr16": "qids_sr16-total",
    "ymrs": "ymrs-total",
    "audit_c": "audit_c-total",
    "audit": "audit-total",
    "dast10": "dast10-total",
    "asrm": "asrm-total",
    "pcl5": "pcl5-total",
}


def read_cases(path: Path) -> list[dict[str, Any]]:
    """The cases of one file; a key that means nothing is an error."""
    cases: list[dict[str, Any]] = load_yaml(path)
    for case in cases:
        unknown = case.keys() - KEYS
        assert not unknown, f"{path.name}: {case['patient']}: {unknown}"
    return cases


def facts_of(case: dict[str, Any], knowledge: Knowledge) -> Facts:
    """The facts of a small patient."""
    facts = read_facts(record_of(case), knowledge, AS_OF)
    given = {name: _given(name, str(value)) for name, value in case.get("facts", {}).items()}
    unknown = given.keys() - knowledge.facts.keys()
    assert not unknown, f"no such fact: {unknown}"
    return replace(facts, named={**facts.named, **given})


def record_of(case: dict[str, Any]) -> Record:
    """The chart of a small patient."""
    gender = {"gender": case["gender"]} if "gender" in case else {}
    contents = [patient(str(case.get("born", "1980-02-10"))) | gender]
    contents += [_condition(n, str(text)) for n, text in enumerate(case.get("conditions", ["Z00.00"]))]
    contents += [_simple("Procedure", n, str(text), "completed") for n, text in enumerate(case.get("procedures", []))]
    contents += [_simple("Device", n, str(text), "active") for n, text in enumerate(case.get("devices", []))]
    contents += [_pressure(n, text) for n, text in enumerate(case.get("blood_pressure", []))]
    contents += [_allergy(n, text) for n, text in enumerate(case.get("allergies", []))]
    contents += [_order(n, text) for n, text in enumerate(case.get("medications", []))]
    contents += [_dispense(n, text) for n, text in enumerate(case.get("dispenses", []))]
    contents += [_test(n, text) for n, text in enumerate(case.get("tests", []))]
    contents += [_score(n, text) for n, text in enumerate(case.get("scores", []))]
    contents += [_weight(n, text) for n, text in enumerate(case.get("weights", []))]
    contents += [_lab(n, text) for n, text in enumerate(case.get("labs", []))]
    contents += [_drug_screen(n, text) for n, text in enumerate(case.get("drug_screens", []))]
    contents += [_tms_safety(n, text) for n, text in enumerate(case.get("tms_safety", []))]
    contents += [given for text in case.get("sessions", []) for given in _sessions(text)]
    return chart(*contents, without=tuple(case.get("not_read", [])))


def _concept(text: str) -> dict[str, Any]:
    code = text.split(maxsplit=1)[0]
    if code == "CPT":
        number, _, words = text.replace(" not-done", "").removeprefix("CPT ").partition(" ")
        return {"coding": [{"system": CPT, "code": number} | ({"display": words} if words else {})]}
    if code.isdigit():
        return {"coding": [{"system": SCT, "code": code}]}
    if re.fullmatch(r"[A-Z]\d[0-9A-Z](\.\w+)?", code):
        return {"coding": [{"system": ICD, "code": code}]}
    return {"text": text}


def _condition(number: int, text: str) -> dict[str, Any]:
    content = condition("", id=f"c{number}") | {"code": _concept(text)}
    content["onsetDateTime"] = _after("since", text) or "2020-01-01"
    content["abatementDateTime"] = _after("ended", text)
    content["recordedDate"] = _after("recorded", text)
    if "undated" in text:
        content["onsetDateTime"] = None
    if "without status" in text:
        del content["clinicalStatus"]
    for status in ("resolved", "remission", "inactive"):
        if f" {status}" in text and "coding" in content["code"]:
            content["clinicalStatus"] = {"coding": [{"code": status}]}
    if "unconfirmed" in text:
        content["verificationStatus"] = {"coding": [{"code": "unconfirmed"}]}
    if "in error" in text:
        content["verificationStatus"] = {"coding": [{"code": "entered-in-error"}]}
    return content


def _after(word: str, text: str) -> str | None:
    found = re.search(rf"{word} ([\d-]+)", text)
    return found.group(1) if found else None


def _simple(kind: str, number: int, text: str, status: str) -> dict[str, Any]:
    stated = next((word for word in ("inactive", "not-done", "on-hold") if word in text), status)
    return {"resourceType": kind, "id": f"{kind}{number}", "status": stated, "type" if kind == "Device" else "code": _concept(text)}  # fmt: skip  # noqa: E501


def _allergy(number: int, text: str) -> dict[str, Any]:
    code: dict[str, Any] = {"text": text}
    if text.startswith("rxnorm"):
        code = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": text.split()[1]}]}
    content = {"resourceType": "AllergyIntolerance", "id": f"a{number}", "code": code}
    if "resolved" in text:
        content["clinicalStatus"] = {"coding": [{"code": "resolved"}]}
    for status in ("unconfirmed", "refuted"):
        if status in text:
            content["verificationStatus"] = {"coding": [{"code": status}]}
    for member in ("type", "criticality"):
        if value := _word_after(member, text):
            content[member] = value
    _, is_named, reaction = text.partition(" reaction ")
    severity = _word_after("severity", text)
    if is_named or severity:
        shown = {"manifestation": [{"text": reaction or "not named"}]}
        content["reaction"] = [shown | ({"severity": severity} if severity else {})]
    content["code"] = content["code"] if "coding" in code else {"text": re.split(r" (?:type|reaction) ", text)[0]}
    return content


def _order(number: int, text: str) -> dict[str, Any]:
    status = next((word for word in ("stopped", "on-hold", "completed") if word in text), "active")
    name = re.sub(rf" ?({status}|for \S+|\\d+ days? ago)", "", text).strip()
    reason = _word_after("for", text)
    content = {
        "resourceType": "MedicationRequest",
        "id": f"m{number}",
        "status": status,
        "intent": "order",
        "authoredOn": _ago(text),
        "medicationCodeableConcept": {"text": name},
    }
    return content | ({"reasonCode": [_concept(reason)]} if reason else {})


def _dispense(number: int, text: str) -> dict[str, Any]:
    status = next((word for word in ("cancelled", "on-hold", "stopped") if word in text), "completed")
    content = {
        "resourceType": "MedicationDispense",
        "id": f"f{number}",
        "status": status,
        "whenHandedOver": _ago(text),
        "medicationCodeableConcept": {"text": text.split(maxsplit=1)[0]},
    }
    supply = re.search(r"supply (\d+)", text)
    return content | ({"daysSupply": {"value": int(supply.group(1)), "unit": "d"}} if supply else {})


_TESTS = {
    "": {"coding": [{"system": "http://loinc.org", "code": "2106-3"}]},
    "breastfeeding": {"coding": [{"system": "http://loinc.org", "code": "63895-7"}]},
    "suicidal ideation": {"text": "Suicidal ideation"},
}


def _test(number: int, text: str) -> dict[str, Any]:
    """A pregnancy test in urine, or what the text names before a colon; nothing about a day, no day."""
    status = _word_after("status", text) or "final"
    subject, _, told = text.rpartition(": ")
    result = re.sub(r" ?(status \S+|\d+ days? ago|undated)", "", told).strip()
    content = {
        "resourceType": "Observation",
        "id": f"t{number}",
        "status": status,
        "code": _TESTS[subject],
        "valueCodeableConcept": {"text": result},
    }
    return content if "undated" in text else content | {"effectiveDateTime": _ago(text)}


def _word_after(word: str, text: str) -> str | None:
    found = re.search(rf"{word} (\S+)", text)
    return found.group(1) if found else None


def _ago(text: str) -> str:
    found = re.search(r"(\d+) days? ago", text)
    return (AS_OF - timedelta(days=int(found.group(1)) if found else 0)).isoformat()


def _pressure(number: int, text: str) -> dict[str, Any]:
    systolic, diastolic = text.split(maxsplit=1)[0].split("/")
    return pressure(float(systolic), float(diastolic), _ago(text), id=f"bp{number}")


def _score(number: int, text: str) -> dict[str, Any]:
    instrument, total = text.split()[:2]
    code = TOTALS[instrument]
    content = observation(code, float(total), "{score}", _ago(text), id=f"s{number}")
    if not code[0].isdigit():
        content["code"] = {"coding": [{"system": "urn:tandem-cds:instruments", "code": code}]}
    return content


def _weight(number: int, text: str) -> dict[str, Any]:
    value, unit = text.split()[:2]
    return observation("29463-7", float(value), unit, _ago(text), id=f"w{number}")


_LABS = {"bilirubin": "1975-2", "albumin": "1751-7", "inr": "6301-6"}
_TMS_ITEMS = 8


def _lab(number: int, text: str) -> dict[str, Any]:
    name, value, *unit = re.sub(r" ?\d+ days? ago", "", text).split()
    return observation(_LABS[name], float(value), " ".join(unit), _ago(text), id=f"l{number}")


def _drug_screen(number: int, text: str) -> dict[str, Any]:
    result = re.sub(r" ?\d+ days? ago", "", text)
    content = observation("", 0, "", _ago(text), id=f"u{number}")
    del content["valueQuantity"]
    return content | {"code": {"text": "Urine drug screen"}, "valueString": result}


def _tms_safety(number: int, text: str) -> dict[str, Any]:
    answers = re.sub(r"\d+ days? ago", "", text)
    yes, _, blank = answers.partition("without")
    items = [
        {"linkId": f"tms-safety-{item}", "answer": [{"valueBoolean": str(item) in re.findall(r"\d+", yes)}]}
        for item in range(1, _TMS_ITEMS + 1)
        if str(item) not in re.findall(r"\d+", blank)
    ]
    return {
        "resourceType": "QuestionnaireResponse",
        "id": f"q{number}",
        "status": "completed",
        "authored": _ago(text),
        "questionnaire": "urn:tandem-cds:questionnaire:tms_safety",
        "item": items,
    }


_GIVEN = {
    "esketamine": ("MedicationAdministration", "medicationCodeableConcept", RXNORM, "2119365", "effectiveDateTime"),
    "ketamine": ("MedicationAdministration", "medicationCodeableConcept", RXNORM, "6130", "effectiveDateTime"),
    "tms": ("Procedure", "code", CPT, "90868", "performedDateTime"),
}


def _sessions(text: str) -> Iterator[dict[str, Any]]:
    kind, member, system, code, when = _GIVEN[text.split(maxsplit=1)[0]]
    for days in re.findall(r"\d+", text):
        yield {
            "resourceType": kind,
            "id": f"{code}-{days}",
            "status": "completed",
            member: {"coding": [{"system": system, "code": code}]},
            when: (AS_OF - timedelta(days=int(days))).isoformat(),
        }


_HERE = Evidence(reference="Basic/1", label="as given")


def _given(name: str, text: str) -> Fact:
    missing = ("as given",) if text == "unknown" or text.startswith("at least") else ()
    return Fact(name=name, value=_value(text), evidence=(), missing=missing)


def _value(text: str) -> FactValue | None:
    if text == "unknown":
        return None
    if text == "none":
        return Presence()
    if text in ("current", "past", "possible"):
        return Presence(**{text: (_HERE,)})
    if text.startswith("at least"):
        return Count(low=int(text.rsplit(maxsplit=1)[-1]), high=None)
    low, _, high = text.partition("-")
    return Count(low=int(low), high=int(high or low))
