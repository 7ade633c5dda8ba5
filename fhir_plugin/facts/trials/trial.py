"""The types of a trial and of an augmentation, and the line of text that describes a trial."""

from __future__ import annotations

from datetime import date

import msgspec

from mappings.schema.medications import Medications

MET, NOT_MET, UNKNOWN = "met", "not_met", "unknown"


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One trial of one antidepressant."""

    ingredient: str
    drug_class: str = msgspec.field(name="class")
    start: date | None
    stop: date | None
    """``None``: still taken, or never dated."""
    adequate_days: int
    highest_daily_dose: float | None
    minimum_daily_dose: float | None
    unit: str = "mg/day"
    instrument: str | None
    adequate: str
    """``met``, ``not_met`` or ``unknown``."""
    outcome: str
    outcome_because: str
    outcome_documented: bool
    """Whether a reason or a score shows it, and not only a change of treatment."""
    evidence_grade: str
    references: tuple[str, ...]
    flags: tuple[str, ...]
    line: str
    """Summary of the trial in one line of text."""


class Augmentation(msgspec.Struct, frozen=True, kw_only=True):
    """An agent added to an antidepressant for long enough."""

    ingredient: str
    start: date
    certain: bool
    """Whether its dose was in range for long enough; always, where no range is known."""
    references: tuple[str, ...]


def with_line(trial: Trial, medications: Medications) -> Trial:
    """The trial with its line of text."""
    words = medications.wording
    highest, minimum = trial.highest_daily_dose, trial.minimum_daily_dose
    line = words.line.format(
        ingredient=trial.ingredient,
        drug_class=trial.drug_class,
        adequate=words.adequate[trial.adequate],
        days=trial.adequate_days,
        dose=words.no_dose if highest is None else words.dose.format(value=highest),
        minimum=words.no_minimum if minimum is None else words.dose.format(value=minimum),
        instrument=trial.instrument or "-",
        period=words.period.format(
            start=trial.start.isoformat() if trial.start else words.no_start,
            stop=trial.stop.isoformat() if trial.stop else words.ongoing,
        ),
        outcome=f"{words.outcomes[trial.outcome]}: {trial.outcome_because}",
        evidence=words.evidence[trial.evidence_grade],
    )
    return msgspec.structs.replace(trial, line="; ".join((line, *(words.flags[flag] for flag in trial.flags))))
