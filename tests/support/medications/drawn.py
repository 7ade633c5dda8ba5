"""Medication records that Hypothesis draws."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from fhir_plugin.facts.trials.read import TrialHistory, read_trials
from fhir_plugin.record.dates import DaySpan
from tests.support.medications.records import dispense, order, record_of, statement
from tests.support.shipped import shipped

KNOWN = shipped().medications
AS_OF = date(2026, 1, 1)
EPISODE = DaySpan(date(2025, 1, 1), date(2025, 1, 1))
PRODUCTS = (
    {"rxnorm": 312940},
    {"rxnorm": 312941},
    {"rxnorm": 312938},
    {"rxnorm": 36437},
    {"text": "sertraline 50 mg"},
    {"rxnorm": 993541},
    {"rxnorm": 349332},
    {"rxnorm": 856377},
    {"text": "etoperidone"},
    {"rxnorm": 1801289},
)

SIGS = (
    "1 tablet daily",
    "2 tablets daily",
    "1 tablet every morning",
    "1 tablet at bedtime",
    "as directed",
    "1 tablet daily as needed",
    "1/2 tablet daily for 10 days then 1 tablet daily",
    "100 mg daily",
)

DAYS = st.integers(0, 400).map(lambda days: (date(2024, 12, 1) + timedelta(days=days)).isoformat())
STARTS = st.one_of(DAYS, DAYS, DAYS, st.sampled_from(["2025", "2025-03", "2025-02-30", None]))
SHARED = {
    "product": st.sampled_from(PRODUCTS),
    "start": STARTS,
    "sig": st.one_of(st.sampled_from(SIGS), st.none()),
    "supply": st.one_of(st.integers(1, 120), st.sampled_from([30, 60]), st.none()),
    "quantity": st.one_of(st.integers(1, 240), st.sampled_from([30, 60, -5, 0]), st.none()),
}
ORDERS = st.fixed_dictionaries(
    SHARED
    | {
        "kind": st.just(order),
        "status": st.sampled_from(["active", "completed", "stopped", "on-hold", "cancelled"]),
        "refills": st.sampled_from([None, 0, 1, 5]),
        "updated": st.one_of(DAYS, st.none()),
    }
)

DISPENSES = st.fixed_dictionaries(SHARED | {"kind": st.just(dispense), "for": st.sampled_from([None, "r0", "r1"])})
STATEMENTS = st.fixed_dictionaries(
    SHARED
    | {
        "kind": st.just(statement),
        "stop": st.one_of(DAYS, st.none()),
        "status": st.sampled_from(["active", "completed"]),
    }
)

RECORDS = st.lists(st.one_of(ORDERS, DISPENSES, STATEMENTS), max_size=6)


def built(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for at, entry in enumerate(entries):
        short = {name: value for name, value in entry.items() if value is not None and name not in ("kind", "product")}
        found.append(entry["kind"](short | entry["product"]) | {"id": f"r{at}"})
    return found


def read(resources: list[dict[str, Any]]) -> TrialHistory:
    return read_trials(record_of(resources), KNOWN, AS_OF, episode_start=EPISODE)
