"""Medication resources to trials: CPU per record, and whether it grows in proportion to their number.

Three records: one like those before it (its lines are in the book, as in a service that has run for a while), the same
with the book emptied before each reading, and one in which no two sigs are alike, also read from scratch.

python bench/trials.py
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from datetime import date, timedelta

import msgspec

from cds_hooks.application.app import COLLECT_AFTER
from fhir_plugin.facts.medications.lines import clear_caches
from fhir_plugin.facts.trials.read import read_trials
from fhir_plugin.record.dates import DaySpan
from fhir_plugin.record.record import Input, InputState, Record
from fhir_plugin.record.resources import MedicationDispense, MedicationRequest, MedicationStatement
from mappings.schema.medications import Medications, load_medications

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
SIZES = (0, 10, 100, 200, 400, 800)
REPEATS = 100
AMOUNTS = ("1", "one", "1 (one)")
FREQUENCIES = ("daily", "once daily", "every day", "every morning", "at bedtime", "nightly", "once a day", "qam", "qhs")


def distinct_sig(at: int) -> str:
    """A sig that no other resource of the record has."""
    amount, frequency = AMOUNTS[at % len(AMOUNTS)], FREQUENCIES[at // len(AMOUNTS) % len(FREQUENCIES)]
    return f"Take {amount} tablet by mouth {frequency} for {at + 30} days"


def resource(at: int, *, alike: bool) -> tuple[str, dict[str, object]]:
    """One resource: of six, one order, one statement and four fills."""
    code, sig = DRUGS[(at // 12) % len(DRUGS)]
    if not alike:
        sig = distinct_sig(at)
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


def record(count: int, *, alike: bool = True) -> Record:
    """A record of that many medication resources; ``alike``: a drug is always taken in the same words."""
    views = {
        "MedicationRequest": ("medicationRequests", MedicationRequest),
        "MedicationDispense": ("medicationDispenses", MedicationDispense),
        "MedicationStatement": ("medicationStatements", MedicationStatement),
    }
    held: dict[str, list[object]] = {name: [] for name, _ in views.values()}
    for at in range(count):
        kind, content = resource(at, alike=alike)
        name, view = views[kind]
        held[name].append(msgspec.json.decode(json.dumps(content | {"resourceType": kind}), type=view))
    return Record("1", {name: Input(InputState.COMPLETE, tuple(items)) for name, items in held.items()})  # type: ignore[arg-type]


def timed(subject: Record, known: Medications, *, cold: bool) -> tuple[float, float]:
    """The least and the median CPU time of a reading, in milliseconds; ``cold``: from scratch each time."""
    span = DaySpan(START, START)
    times = []
    for _ in range(REPEATS):
        if cold:
            clear_caches()
        before = time.process_time_ns()
        read_trials(subject, known, AS_OF, episode_start=span)
        times.append((time.process_time_ns() - before) / 1e6)
    return min(times), statistics.median(times)


def main() -> None:
    """Print CPU per record, the garbage collector set as in the service."""
    start = time.perf_counter()
    known = load_medications()
    print(f"load_medications {1000 * (time.perf_counter() - start):.1f} ms\n")
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    print("| resources | read before: ms, least (median) | from scratch | from scratch, every sig different |")
    print("|---|---|---|---|")
    for size in SIZES:
        alike, different = record(size), record(size, alike=False)
        columns = timed(alike, known, cold=False), timed(alike, known, cold=True), timed(different, known, cold=True)
        print(f"| {size} | " + " | ".join(f"{best:.3f} ({middle:.3f})" for best, middle in columns) + " |")


if __name__ == "__main__":
    main()
