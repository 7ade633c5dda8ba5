"""The parts of a sig while it is being parsed, dose by dose and phase by phase, and the finished sig."""

from __future__ import annotations

import msgspec

from fhir_plugin.facts.medications.intakes import DosePhase, Intake

_WEEK = 7
_BEDTIME = "bedtime"


class Sig(msgspec.Struct, frozen=True, gc=False):
    """A parsed sig."""

    phases: tuple[DosePhase, ...]
    prn: bool = False
    """Whether all of it is taken only as needed."""
    flags: tuple[str, ...] = ()
    restricted: bool = False
    """Whether it is taken on some days only, which the grammar cannot tell: no dose over time is known."""


class NotUnderstood(Exception):
    """The sig is outside the grammar."""


class Restricted(NotUnderstood):
    """The sig restricts the days in a way outside the grammar, which no other reading of the dosage can settle."""


RESTRICTED = Sig((), flags=("days_restricted",), restricted=True)


class SigDose(msgspec.Struct, frozen=True, gc=False):
    mg: float | None = None
    units: float | None = None
    ml: float | None = None
    stated: float | None = None


class SigItem(msgspec.Struct, gc=False):
    """One dose with its frequency, while it is being parsed."""

    dose: SigDose
    per_day: float | None = None
    moments: tuple[str, ...] = ()
    weekdays: int = 0
    """On how many days of the week; 0: not restricted."""
    meals: bool = False
    """Whether it is tied to meals, whose number is not written."""
    prn: bool = False


class SigPhase(msgspec.Struct, gc=False):
    """One phase, while it is being parsed."""

    items: list[SigItem] = []
    days: float | None = None
    over: bool = False
    """Whether the drug is stopped from here on."""


def sig_of(stages: list[SigPhase], flags: list[str], *, as_needed: bool) -> Sig:
    """The finished sig. Raises :class:`NotUnderstood` where a dose, a frequency or a length is missing."""
    items = [item for stage in stages for item in stage.items]
    if not items:
        raise NotUnderstood
    as_needed_only = [item.prn for item in items]
    if as_needed or all(as_needed_only):
        return Sig((), prn=True, flags=("prn",))
    _require_complete(stages, items)
    if not all(map(timed, items)):
        _fill_frequencies(stages, flags)
    if any(as_needed_only):
        flags.append("prn")
    phases = tuple(
        [
            DosePhase(tuple([_intake(item, flags) for item in stage.items if not item.prn]), stage.days)
            for stage in stages
        ]
    )
    return Sig(phases, flags=tuple(dict.fromkeys(flags)) if flags else ())


def _require_complete(stages: list[SigPhase], items: list[SigItem]) -> None:
    """Raises :class:`NotUnderstood` for a phase without a length that others follow, and for meals without a number."""
    if any(stage.days is None for stage in stages[:-1]):
        raise NotUnderstood
    if any(item.meals and item.per_day is None and item.moments in ((), (_BEDTIME,)) for item in items):
        raise NotUnderstood


def _fill_frequencies(stages: list[SigPhase], flags: list[str]) -> None:
    """A dose without a frequency takes that of the next dose in its phase, else that of a neighbouring phase."""
    for stage in stages:
        later: SigItem | None = None
        for item in reversed(stage.items):
            if not timed(item) and later is not None:
                item.per_day, item.moments, item.weekdays = later.per_day, later.moments, later.weekdays
            later = item if timed(item) else later
    _between_phases(stages)
    _between_phases(stages[::-1])
    untimed = [item for stage in stages for item in stage.items if not timed(item)]
    if not untimed:
        return
    if any(item.dose.mg is None for item in untimed) or stages[0].days is None:
        raise NotUnderstood
    for item in untimed:
        item.per_day = 1.0
    flags.append("frequency_assumed")


def _between_phases(stages: list[SigPhase]) -> None:
    neighbour: SigItem | None = None
    for stage in stages:
        for item in stage.items:
            if not timed(item) and neighbour is not None and len(stage.items) == 1:
                item.per_day, item.moments, item.weekdays = neighbour.per_day, neighbour.moments, neighbour.weekdays
        neighbour = stage.items[-1] if len(stage.items) == 1 and timed(stage.items[-1]) else neighbour


def _intake(item: SigItem, flags: list[str]) -> Intake:
    dose = item.dose
    moments = tuple(sorted(set(item.moments)))
    return Intake(_rate(item, len(moments), flags), dose.mg, dose.units, dose.ml, dose.stated, moments)


def _rate(item: SigItem, moments: int, flags: list[str]) -> float:
    rate = item.per_day
    if rate is None:
        rate = float(moments or 1)
    elif moments and rate >= 1 and rate != moments:
        flags.append("frequency_conflict")
        rate = min(rate, float(moments))
    if item.weekdays and rate >= 1:
        rate *= item.weekdays / _WEEK
    elif item.weekdays > 1:
        raise NotUnderstood
    return rate


def timed(item: SigItem) -> bool:
    return item.per_day is not None or bool(item.moments) or bool(item.weekdays)
