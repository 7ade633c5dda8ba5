"""Texts that are made to take long to read: one piece after another, each an invitation to look back or ahead."""

from __future__ import annotations

from typing import Any

from cds_hooks.protocol.requests import HookCall
from tests.support.hooks.calls import PATIENT_VIEW, body, called

PATIENT = "doing-well"
SIGS = (
    "1 tablet daily then ", "50 mg for 7 days then 100 mg ", "1 ", "1-", "1/2 ", "1 and 1/2 ", "1,000,", "1.", "9", "½",
    "take ", "every ", "twice ", "mg ", "tablet ", "as needed ", "for 7 days ", "increase to ", "every other ", "or ",
    "and ", "(", ")", ", ", "- ", " ", "\n", "a", "A\u0301", "µ", "then then 1 ", "1 to 2 to ", "2x", "1 tab(s) ",
)  # fmt: skip
NAMES = (
    "no history of ", "family history of ", "denies ", "not ", "rule out ", "history of no ", "seizure ", "a",
    "depress", "seizure, ", "sertraline ", "sertraline/", "sertraline-", "sertraline 50 mg ", "50 mg/", "a ", "a-",
    "A\u0301", "(", "?", ".", ", ", " ", "\n", "1 ", "9", "and ", "with ", "s/p ", "bipolar disorder, not ", "no ",
    "h/o ", "- no ", "zz ",
)  # fmt: skip


def long(piece: str, length: int, start: str = "") -> str:
    """A text of that length."""
    return (start + piece * (length // len(piece) + 1))[:length]


def call_with(*sigs: str, names: tuple[str, ...] = (), problems: tuple[str, ...] = ()) -> HookCall:
    """A call in whose record the orders have these sigs or these names of drugs, and the problems these texts."""
    request: dict[str, Any] = body(PATIENT_VIEW, PATIENT)
    about = {"subject": {"reference": f"Patient/{request['context']['patientId']}"}}
    order = {"resourceType": "MedicationRequest", "status": "active", "intent": "order", "authoredOn": "2025-11-01"}
    drugs = [("sertraline 50 mg tablet", sig) for sig in sigs] + [(name, "1 tablet daily") for name in names]
    request["prefetch"]["medicationRequests"]["entry"] += [
        {
            "resource": order
            | about
            | {
                "id": f"drug-{number}",
                "medicationCodeableConcept": {"text": name},
                "dosageInstruction": [{"text": sig, "patientInstruction": sig}],
            }
        }
        for number, (name, sig) in enumerate(drugs)
    ]
    active = {"coding": [{"code": "active"}]}
    request["prefetch"]["conditions"]["entry"] += [
        {
            "resource": {"resourceType": "Condition", "id": f"problem-{number}", "clinicalStatus": active}
            | about
            | {"code": {"text": text, "coding": [{"display": text}]}}
        }
        for number, text in enumerate(problems)
    ]
    return called(request)
