"""The dose of each antidepressant over time, as the trials counted it."""

from __future__ import annotations

from datetime import date

import msgspec

from fhir_plugin.facts.days.days import map_days
from fhir_plugin.facts.days.stretches import ADEQUATE_RATIO
from fhir_plugin.facts.medications.histories import read_history
from fhir_plugin.facts.trials.read import READ_GROUPS
from fhir_plugin.record.record import Record
from mappings.schema.medications import Medications


class DoseStep(msgspec.Struct, frozen=True, kw_only=True):
    """Days on one dose; the last day is the first without it."""

    first: date
    after: date
    mg: float
    minimum: float
    """The least adequate dose, of the product that was taken."""
    adequate: bool


class DoseCourse(msgspec.Struct, frozen=True, kw_only=True):
    """One drug over time, oldest dose first; days whose dose is not known have no step."""

    ingredient: str
    steps: tuple[DoseStep, ...]


def read_dose_courses(record: Record, medications: Medications, as_of: date) -> tuple[DoseCourse, ...]:
    """The courses of every drug that may treat depression, in the order in which they began."""
    policy = medications.policy(None)
    today = as_of.toordinal()
    history = read_history(record, medications, policy, today, READ_GROUPS)
    courses = [
        DoseCourse(
            ingredient=name,
            steps=tuple(
                DoseStep(
                    first=date.fromordinal(each.start),
                    after=date.fromordinal(min(each.stop, today + 1)),
                    mg=each.mg,
                    minimum=each.minimum,
                    adequate=each.ratio >= ADEQUATE_RATIO,
                )
                for each in map_days(exposures, medications).counted
                if each.mg and each.start <= today
            ),
        )
        for name, exposures in history.exposures.items()
    ]
    known = [each for each in courses if each.steps]
    return tuple(sorted(known, key=lambda each: (each.steps[0].first, each.ingredient)))
