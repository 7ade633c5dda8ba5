"""Medication resources to trials: CPU per record, and whether it grows in proportion to their number.

python bench/trials.py
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from datetime import date, timedelta

import msgspec

from fhir_plugin.dates import DaySpan
from fhir_plugin.facts.trials import read_trials
from fhir_plugin.record import Input, InputState, Record
from fhir_plugin.resources import MedicationDispense, MedicationRequest, MedicationStatement
from mappings.medications import load_medications

DRUGS = (
    ("312938", "Take 1 tablet by mouth daily"),
    ("349332", "Take 1 tablet by mouth every morning"),
    ("313581", "Take 1 capsule by mouth once daily"),
    ("993557", "Take 1 tablet (300 mg) by mouth every morning"),
    ("596934", "TAKE ONE CAPSULE BY MOUTH EVERY DAY"),
    ("860975", "Take 1 tablet by mouth twice daily with meals"),
)
START = date(2022, 1, 1)
AS_OF = date(2026, 1, 1)
SIZES = (25, 50, 100, 200, 400, 800)
REPEATS = 30


def resource(at: int) -> tuple[str, dict[str, object]]:
    """One resource: of six, one order, one statement and four fills."""
    code, sig = DRUGS[(at // 12) % len(DRUGS)]
    day = (START + timedelta(days=at * 28 % 1400)).isoformat()
    shared: dict[str, object] = {
        "id": f"m{at}",
        "medicationCodeableConcept": {
            "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": code}]
        },
        "subject": {"reference": "Patient/1"},
    }
    structured = {
        "text": sig,
        "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
        "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
    }
    kind = at % 6
    if kind == 0:
        supply = {"expectedSupplyDuration": {"value": 30, "unit": "d"}, "numberOfRepeatsAllowed": 5}
        order = {"status": "completed", "intent": "order", "authoredOn": day, "dispenseRequest": supply}
        return "MedicationRequest", shared | order | {"dosageInstruction": [structured]}
    if kind == 1:
        taken = {"status": "active", "effectivePeriod": {"start": day}, "dateAsserted": day}
        return "MedicationStatement", shared | taken | {"dosage": [{"text": sig}]}
    fill = {"status": "completed", "whenHandedOver": day, "daysSupply": {"value": 30}, "quantity": {"value": 30}}
    return "MedicationDispense", shared | fill | {"dosageInstruction": [{"text": sig}]}


def record(count: int) -> Record:
    """A record of that many medication resources."""
    views = {
        "MedicationRequest": ("medicationRequests", MedicationRequest),
        "MedicationDispense": ("medicationDispenses", MedicationDispense),
        "MedicationStatement": ("medicationStatements", MedicationStatement),
    }
    held: dict[str, list[object]] = {name: [] for name, _ in views.values()}
    for at in range(count):
        kind, content = resource(at)
        name, view = views[kind]
        held[name].append(msgspec.json.decode(json.dumps(content | {"resourceType": kind}), type=view))
    return Record("1", {name: Input(InputState.COMPLETE, tuple(items)) for name, items in held.items()})  # type: ignore[arg-type]


def main() -> None:
    """Print CPU per record and per resource, the garbage collector frozen as in the service."""
    start = time.perf_counter()
    known = load_medications()
    print(f"load_medications {1000 * (time.perf_counter() - start):.1f} ms")
    gc.collect()
    gc.freeze()
    span = DaySpan(date(2022, 1, 1), date(2022, 1, 1))
    for size in SIZES:
        subject = record(size)
        times = []
        for _ in range(REPEATS):
            before = time.process_time()
            read_trials(subject, known, AS_OF, episode_start=span)
            times.append(time.process_time() - before)
        best, middle = min(times), statistics.median(times)
        each = best / size * 1e6
        print(f"{size:4} resources: {best * 1e3:7.3f} ms best, {middle * 1e3:7.3f} ms median, {each:5.1f} us each")


if __name__ == "__main__":
    main()
