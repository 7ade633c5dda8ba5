"""The dose of every antidepressant over time, as counted for the trials."""

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
    """Days on one dose; ``after`` is the first day without it."""

    first: date
    after: date
    mg: float
    minimum: float
    """The minimum adequate dose of the product that was taken."""
    adequate: bool


class DoseCourse(msgspec.Struct, frozen=True, kw_only=True):
    """One drug over time, oldest dose first; days with an unknown dose have no step."""

    ingredient: str
    steps: tuple[DoseStep, ...]


def read_dose_courses(record: Record, medications: Medications, as_of: date) -> tuple[DoseCourse, ...]:
    """The courses of all drugs that may treat depression, in the order in which they began."""
    policy = medications.policy(None)
    today = as_of.toordinal()
    history = read_history(record, medications, policy, today, READ_GROUPS)
    courses = [
        DoseCourse(
            ingredient=name,
            steps=tuple(
                DoseStep(
                    first=date.fromordinal(stretch.start),
                    after=date.fromordinal(min(stretch.stop, today + 1)),
                    mg=stretch.mg,
                    minimum=stretch.minimum,
                    adequate=stretch.ratio >= ADEQUATE_RATIO,
                )
                for stretch in map_days(exposures, medications).counted
                if stretch.mg and stretch.start <= today
            ),
        )
        for name, exposures in history.exposures.items()
    ]
    dosed = [course for course in courses if course.steps]
    return tuple(sorted(dosed, key=lambda course: (course.steps[0].first, course.ingredient)))
