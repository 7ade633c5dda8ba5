"""The body weight to use for dosing, or why there is none. Pure."""

from __future__ import annotations

import msgspec

from fhir_plugin.facts.fact import Evidence, Fact, Measurement
from fhir_plugin.facts.read import Facts
from fhir_plugin.record.dates import DaySpan
from mappings.schema.texts.wording import Wording

WEIGHT = "weight.latest"


class DosingWeight(msgspec.Struct, frozen=True, kw_only=True):
    """A dated weight, recent enough to dose by; otherwise ``kilograms`` is ``None`` and ``missing`` says why."""

    kilograms: float | None
    day: DaySpan | None = None
    written: str = ""
    """As recorded, ``176 [lb_av]``; text of the record. Empty where it is already in kilograms."""
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()
    """Why it cannot be used for dosing, without patient text; empty where it can."""


def dosing_weight(facts: Facts, most_days: float, wording: Wording) -> DosingWeight:
    """The newest weight; not usable if older than ``most_days``, undated, or possibly not the newest."""
    fact = facts.named[WEIGHT]
    if not isinstance(fact.value, Measurement):
        return DosingWeight(kilograms=None, missing=fact.missing)
    day = fact.value.day
    missing = fact.missing + _too_old(fact.value, facts, most_days, wording)
    (kilograms,) = fact.value.components.values()
    return DosingWeight(
        kilograms=None if missing else kilograms,
        day=day,
        written=_written(fact),
        evidence=fact.evidence,
        missing=missing,
    )


def _too_old(value: Measurement, facts: Facts, most_days: float, wording: Wording) -> tuple[str, ...]:
    if value.day is None:
        return (wording.gaps["undated_weight"],)
    if value.day.days_before(facts.as_of)[1] > most_days:
        return (wording.gaps["old_weight"].format(day=value.day, days=f"{most_days:g}"),)
    return ()


def _written(fact: Fact) -> str:
    return next((evidence.label for evidence in fact.evidence), "")
