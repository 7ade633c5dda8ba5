"""Exposures into trials, within a window of time: one trial per ingredient, with its verdict, outcome and evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

import msgspec

from fhir_plugin.dates import day_span
from fhir_plugin.facts.medications.days import DayMap, Interval, Run, Stretch, adequate, best_run, joined, union
from fhir_plugin.facts.medications.exposures import Exposure
from fhir_plugin.facts.medications.histories import MedicationHistory
from fhir_plugin.facts.medications.outcomes import Change, Course, Outcome, Score, judge
from fhir_plugin.facts.medications.products import identify
from fhir_plugin.record import Record
from fhir_plugin.resources import AllergyIntolerance, Procedure
from mappings.medications import Medications, Policy

MET, NOT_MET, UNKNOWN = "met", "not_met", "unknown"
KINDS = ("dispensed", "administered", "stated", "ordered")
"""Kinds of evidence, the best first."""
_BY_DOSE = attrgetter("ratio", "mg")
_ENANTIOMERS = frozenset(("citalopram", "escitalopram"))


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
    """Whether a reason or a score says so, and not only a change of treatment."""
    evidence_grade: str
    references: tuple[str, ...]
    flags: tuple[str, ...]
    line: str
    """All of it in one line for a reader."""


class Augmentation(msgspec.Struct, frozen=True, kw_only=True):
    """An agent added to an antidepressant for long enough."""

    ingredient: str
    start: date
    certain: bool
    """Whether its dose was in range for long enough, as far as a range is known."""
    references: tuple[str, ...]


class _Drug(NamedTuple):
    """One antidepressant inside the window."""

    ingredient: str
    exposures: list[Exposure]
    days: DayMap
    adequate: list[Interval]
    eras: list[Interval]
    """Exposures joined across short gaps, all of them, in the window or not."""
    run: Run
    verdict: str
    contradicted: bool = False
    """Whether less was dispensed or taken than the orders alone would show."""


class Scope:
    """The trials of one window of days, such as the current episode."""

    def __init__(
        self,
        record: Record,
        history: MedicationHistory,
        maps: Mapping[str, DayMap],
        known: Medications,
        policy: Policy,
        window: Interval,
        scores: Sequence[Score],
        flags: tuple[str, ...],
    ) -> None:
        self._record = record
        self._history = history
        self._maps = maps
        self._known = known
        self._policy = policy
        self._first, self._last = window
        self._scores = scores
        self._flags = flags
        self._merge = int(known.parameters["merge_gap_days"].value)
        self._gap = int(known.parameters["run_gap_days"].value)
        self._drugs = [drug for name in sorted(history.exposures) if (drug := self._drug(name)) is not None]
        self.augmentations = tuple(self._augmentations())
        """Agents added to an antidepressant, by name."""

    def trials(self) -> tuple[Trial, ...]:
        """The trials, oldest first."""
        changes = sorted(self._changes())
        allergies = self._allergies()
        concurrent = self._concurrent()
        found = [self._trial(drug, changes, allergies, concurrent) for drug in self._drugs]
        found += self._counted_augmentations()
        return tuple(sorted(found, key=lambda trial: (trial.start or date.max, trial.ingredient)))

    # one drug

    def _drug(self, ingredient: str) -> _Drug | None:
        if "antidepressant" not in self._known.ingredients[ingredient].groups:
            return None
        exposures = [e for e in self._history.exposures[ingredient] if self._inside(e)]
        if not exposures:
            return None
        days = self._maps[ingredient]
        enough = adequate(days.counted)
        run = self._best(enough)
        verdict, contradicted = self._verdict(run, days)
        covered = days.covered or union(
            (e.window.start, e.window.stop) for e in exposures if e.window.start is not None
        )
        return _Drug(ingredient, exposures, days, enough, joined(covered, self._merge), run, verdict, contradicted)

    def _inside(self, exposure: Exposure) -> bool:
        window = exposure.window
        start, first = window.start, self._first
        return start is None or window.possible > first or window.stop > first or start >= first

    def _best(self, intervals: Iterable[Interval]) -> Run:
        return best_run(intervals, self._first, self._last, self._gap)

    def _verdict(self, run: Run, days: DayMap) -> tuple[str, bool]:
        needed = self._policy.adequate_days
        if run.days >= needed:
            return MET, False
        if self._best(days.claimed()).days >= needed:
            return NOT_MET, True
        return (UNKNOWN if self._best(days.possible()).days >= needed else NOT_MET), False

    def _era(self, drug: _Drug) -> Interval | None:
        """The exposure that holds the best run; without one, the last exposure inside the window."""
        inside = [era for era in drug.eras if era[1] > self._first]
        if drug.run.days:
            return next((era for era in inside if era[0] <= drug.run.start < era[1]), None)
        return inside[-1] if inside else None

    # changes of treatment

    def _changes(self) -> Iterable[Change]:
        for drug in self._drugs:
            for start, stop in drug.eras:
                if self._is_switch(drug, start, stop):
                    yield Change(start, drug.ingredient, "next_antidepressant")
        for augmentation in self.augmentations:
            if augmentation.certain:
                yield Change(augmentation.start.toordinal(), augmentation.ingredient, "augmented")
        for ingredient, exposures in self._history.exposures.items():
            if "ketamine" in self._known.ingredients[ingredient].groups:
                starts = (e.window.start for e in exposures if e.counted)
                yield from (Change(day, ingredient, "interventional") for day in starts if day is not None)
        yield from self._procedures()

    def _is_switch(self, drug: _Drug, start: int, stop: int) -> bool:
        """A hypnotic dose of a sedating antidepressant is no switch, nor is what may not count at all."""
        inside = [
            e for e in drug.exposures if e.counted and e.window.start is not None and start <= e.window.start < stop
        ]
        if not inside:
            return False
        if not self._known.ingredients[drug.ingredient].low_dose_has_other_use:
            return True
        return any(start <= begin < stop for begin, _ in drug.adequate)

    def _procedures(self) -> Iterable[Change]:
        for name, codes in (("ECT", self._known.staging.ect_codes), ("TMS", self._known.staging.tms_codes)):
            for procedure in self._record.all("procedures", Procedure):
                if procedure.status in ("completed", "in-progress") and procedure.code is not None:
                    period = procedure.performed_period
                    span = day_span(procedure.performed_date_time or (period.start if period else None))
                    if span and any((c.system, c.code) in codes.pairs for c in procedure.code.coding):
                        yield Change(span.first.toordinal(), name, "interventional")

    def _allergies(self) -> list[tuple[str, int]]:
        found = []
        for allergy in self._record.all("allergies", AllergyIntolerance):
            span = day_span(allergy.recorded_date)
            product = identify(allergy.code, self._known).product if span else None
            if span and product:
                found += [(part.ingredient, span.first.toordinal()) for part in product.parts]
        return found

    def _concurrent(self) -> frozenset[str]:
        """Adequate drugs whose adequate days overlap for longer than a cross-taper."""
        longest = self._known.parameters["cross_taper_days"].value
        met = [drug for drug in self._drugs if drug.verdict == MET]
        found: set[str] = set()
        for at, one in enumerate(met):
            for other in met[at + 1 :]:
                if overlap(one.adequate, other.adequate) > longest:
                    found |= {one.ingredient, other.ingredient}
        return frozenset(found)

    # augmentation

    def _augmentations(self) -> Iterable[Augmentation]:
        antidepressant = joined(union(i for drug in self._drugs for i in drug.days.covered), self._gap)
        for ingredient in sorted(self._history.exposures):
            if "augmentation" not in self._known.ingredients[ingredient].groups:
                continue
            days = self._maps[ingredient]
            ranged = self._known.augmentation_minimum(ingredient) is not None
            certain = adequate(days.counted) if ranged else list(days.covered)
            start = self._added(certain, antidepressant)
            possible = start or self._added(union([*certain, *days.possible()]), antidepressant)
            if possible is not None:
                references = sorted({e.reference for e in self._history.exposures[ingredient] if self._inside(e)})
                yield Augmentation(
                    ingredient=ingredient, start=date.fromordinal(possible), certain=start is not None,
                    references=tuple(references),
                )  # fmt: skip

    def _added(self, intervals: Sequence[Interval], antidepressant: Sequence[Interval]) -> int | None:
        """The first day of the first stretch that lies beside an antidepressant for long enough in the window."""
        needed = self._known.parameters["augmentation_overlap_days"].value
        for start, stop in joined(intervals, self._gap):
            stretch = [(max(start, self._first), min(stop, self._last))]
            if overlap(stretch, antidepressant) >= needed:
                return stretch[0][0]
        return None

    def _counted_augmentations(self) -> list[Trial]:
        """Augmentations as trials of their own, where the site counts them so."""
        if not self._known.parameters["augmentation_counts"].value:
            return []
        beside = union(i for drug in self._drugs for i in drug.adequate)
        found = []
        for augmentation in self.augmentations:
            ingredient = augmentation.ingredient
            days = self._maps[ingredient]
            run = self._best(intersection(adequate(days.counted), beside))
            if run.days >= self._policy.adequate_days:
                exposures = [e for e in self._history.exposures[ingredient] if self._inside(e)]
                drug = _Drug(ingredient, exposures, days, adequate(days.counted), list(days.covered), run, MET)
                found.append(self._trial(drug, (), [], frozenset()))
        return found

    # wording

    def _trial(
        self, drug: _Drug, changes: Sequence[Change], allergies: Sequence[tuple[str, int]], concurrent: frozenset[str]
    ) -> Trial:
        era = self._era(drug)
        ongoing = era is not None and era[1] >= self._last
        outcome = self._outcome(drug, era, ongoing, changes, allergies)
        best = self._best_stretch(drug)
        minimum = next((e.prescription.minimum for e in drug.exposures if e.prescription.minimum is not None), None)
        ingredient = self._known.ingredients[drug.ingredient]
        evidence = [e for e in drug.exposures if e.counted] or drug.exposures
        start, stop = self._period(drug, era)
        trial = Trial(
            ingredient=drug.ingredient,
            drug_class=ingredient.label_class,
            start=start,
            stop=None if ongoing else stop,
            adequate_days=drug.run.days,
            highest_daily_dose=best.mg if best else None,
            minimum_daily_dose=best.minimum if best else minimum.mg_per_day if minimum else None,
            instrument=minimum.instrument if minimum else None,
            adequate=drug.verdict,
            outcome=outcome.word,
            outcome_because=outcome.because,
            outcome_documented=outcome.documented,
            evidence_grade=min({e.window.kind for e in evidence}, key=KINDS.index),
            references=tuple(sorted({e.reference for e in drug.exposures})),
            flags=self._flagged(drug, era, outcome, concurrent),
            line="",
        )
        return msgspec.structs.replace(trial, line=_line(trial, ongoing, self._known))

    def _period(self, drug: _Drug, era: Interval | None) -> tuple[date | None, date | None]:
        if era is not None:
            return date.fromordinal(era[0]), date.fromordinal(era[1])
        start = min((e.window.start for e in drug.exposures if e.window.start is not None), default=None)
        return (date.fromordinal(start) if start else None), None

    def _best_stretch(self, drug: _Drug) -> Stretch | None:
        inside = [s for s in drug.days.counted if s.stop > self._first and s.start < self._last]
        return max(inside, key=_BY_DOSE, default=None)

    def _outcome(
        self,
        drug: _Drug,
        era: Interval | None,
        ongoing: bool,  # noqa: FBT001 - one of two facts of the course
        changes: Sequence[Change],
        allergies: Sequence[tuple[str, int]],
    ) -> Outcome:
        inside = {e.reference for e in drug.exposures}
        reasons = self._history.reasons.get(drug.ingredient, ())
        meanings = frozenset(m for reason in reasons if reason.reference in inside for m in reason.meanings)
        start, stop = era or (self._last, self._last)
        until = stop + self._known.parameters["switch_after_stop_days"].value
        allergic = any(name == drug.ingredient and start <= day <= until for name, day in allergies)
        course = Course(drug.ingredient, start, stop, drug.run.days, drug.verdict == MET, ongoing, meanings, allergic)
        return judge(course, self._scores, changes, self._last, self._known)

    def _flagged(
        self, drug: _Drug, era: Interval | None, outcome: Outcome, concurrent: frozenset[str]
    ) -> tuple[str, ...]:
        flags = {*drug.days.flags, *self._flags, *outcome.flags}
        for exposure in drug.exposures:
            flags.update(exposure.flags, exposure.prescription.flags, exposure.window.flags)
        if drug.contradicted:
            flags.add("dispensed_less_than_ordered")
        if drug.ingredient in concurrent:
            flags.add("concurrent")
        if any(e.prescription.minimum is None for e in drug.exposures if e.counted):
            flags.add("no_minimum")
        if sum(stop > self._first for _, stop in drug.eras) > 1:
            flags.add("restarted")
        if era is not None:
            flags |= self._holes(drug, era)
        if drug.ingredient in _ENANTIOMERS and {d.ingredient for d in self._drugs} >= _ENANTIOMERS:
            flags.add("enantiomers")
        return tuple(sorted(flags))

    def _holes(self, drug: _Drug, era: Interval) -> set[str]:
        inside = [interval for interval in drug.days.covered if era[0] <= interval[0] < era[1]]
        gaps = (later[0] - earlier[1] for earlier, later in pairwise(inside))
        return {"non_persistent"} if any(gap > self._gap for gap in gaps) else set()


def overlap(first: Sequence[Interval], second: Sequence[Interval]) -> int:
    """How many days two sorted lists of intervals share."""
    return sum(stop - start for start, stop in intersection(first, second))


def intersection(first: Sequence[Interval], second: Sequence[Interval]) -> list[Interval]:
    """The days of both, sorted."""
    found: list[Interval] = []
    at = 0
    for start, stop in first:
        while at < len(second) and second[at][1] <= start:
            at += 1
        ahead = at
        while ahead < len(second) and second[ahead][0] < stop:
            begin, end = max(start, second[ahead][0]), min(stop, second[ahead][1])
            if begin < end:
                found.append((begin, end))
            ahead += 1
    return found


def _line(trial: Trial, ongoing: bool, known: Medications) -> str:  # noqa: FBT001 - a fact of the trial
    words = known.wording
    highest, minimum = trial.highest_daily_dose, trial.minimum_daily_dose
    stop = words.ongoing if ongoing or trial.stop is None else trial.stop.isoformat()
    start = trial.start.isoformat() if trial.start else words.no_start
    outcome = f"{words.outcomes[trial.outcome]}: {trial.outcome_because}"
    flags = "".join(f"; {words.flags[flag]}" for flag in trial.flags)
    return (
        words.line.format(
            ingredient=trial.ingredient,
            drug_class=trial.drug_class,
            adequate=words.adequate[trial.adequate],
            days=trial.adequate_days,
            dose=words.no_dose if highest is None else words.dose.format(value=highest),
            minimum=words.no_minimum if minimum is None else words.dose.format(value=minimum),
            instrument=trial.instrument or "-",
            period=words.period.format(start=start, stop=stop),
            outcome=outcome,
            evidence=words.evidence[trial.evidence_grade],
        )
        + flags
    )
