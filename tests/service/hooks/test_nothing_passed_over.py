"""An entry that can no longer be read never turns what speaks against a treatment into "not found"."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from fhir_plugin.deciding.finding import Verdict
from mappings.schema.rules.protocols import Role
from tests.support.hooks.calls import PATIENT_VIEW, PATIENTS, answered, body, called, knowledge

LISTS = ("conditions", "procedures", "devices", "allergies", "medicationRequests", "medicationStatements")
CODED = ("code", "type", "medicationCodeableConcept", "medicationReference", "reasonCode")
STATUSES = ("status", "clinicalStatus", "verificationStatus")
AGAINST = {Role.CONTRAINDICATION, Role.HOLD, Role.CAUTION}
AT_LANDING = {"alcohol-use", "cochlear-implant", "past-psychosis"}
"""Those with the most to lose; the others take a minute."""
UNKNOWN_CODE = {"coding": [{"system": "http://terminology.example.org/local", "code": "no-such-code"}]}


@cache
def guarded() -> frozenset[str]:
    """The criteria that speak against a treatment when they hold."""
    clauses = (clause for protocol in knowledge().protocols.values() for clause in protocol.clauses)
    return frozenset(clause.criterion for clause in clauses if clause.role in AGAINST)


def verdicts(request: dict[str, Any]) -> dict[str, Verdict]:
    answer = answered(called(request))
    assert answer.decision is not None
    return {finding.criterion: finding.verdict for finding in answer.decision.findings}


def harmed(request: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The request with one entry made unreadable, one member left out, or one list cut; and what was done."""
    for name in LISTS:
        entries = request["prefetch"].get(name, {}).get("entry", [])
        for place, entry in different(entries):
            for member in set(entry["resource"]) & {*CODED, *STATUSES}:
                yield f"{name} {place} without {member}", without(request, name, place, member)
            for member in set(entry["resource"]) & {*CODED} - {"medicationReference", "reasonCode"}:
                changed = without(request, name, place, member)
                changed["prefetch"][name]["entry"][place]["resource"][member] = UNKNOWN_CODE
                yield f"{name} {place} with an unknown {member}", changed
        if entries:
            changed = copy.deepcopy(request)
            found = changed["prefetch"][name]
            found["entry"].pop()
            found["total"] = len(entries)
            yield f"{name} cut", changed


def different(entries: list[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The entries with their places; of those with the same code, one."""
    seen = set()
    for place, entry in enumerate(entries):
        meant = json.dumps([entry["resource"].get(member) for member in CODED])
        if meant not in seen:
            seen.add(meant)
            yield place, entry


def without(request: dict[str, Any], name: str, place: int, member: str) -> dict[str, Any]:
    changed = copy.deepcopy(request)
    del changed["prefetch"][name]["entry"][place]["resource"][member]
    return changed


@pytest.mark.parametrize(
    "patient",
    [pytest.param(each, marks=() if each in AT_LANDING else pytest.mark.nightly) for each in PATIENTS],
)
def test_what_can_no_longer_be_read_is_never_not_found(patient: str) -> None:
    request = body(PATIENT_VIEW, patient)
    before = verdicts(request)
    cleared = {
        f"{what}: {name}"
        for what, changed in harmed(request)
        for name, verdict in verdicts(changed).items()
        if name in guarded() and verdict is Verdict.NOT_MET and before[name] is not Verdict.NOT_MET
    }
    assert not cleared


def test_the_harm_is_done_and_there_is_something_to_lose() -> None:
    harm = [what for patient in PATIENTS for what, _ in harmed(body(PATIENT_VIEW, patient))]
    assert len(harm) > 10 * len(PATIENTS)
    lost = (verdicts(body(PATIENT_VIEW, patient)) for patient in PATIENTS)
    assert any(found[name] is Verdict.MET for found in lost for name in guarded())
