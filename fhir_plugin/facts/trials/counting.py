"""Exposures into trials, within a window of days: one trial per ingredient, with its verdict, outcome and evidence.

1. An antidepressant with at least one exposure that may lie in the window is one trial.
2. Adequate days are days at or above the minimum dose (see `days`). A run may span holes of up to ``run_gap_days``,
   which are not counted; the best run is the one with the most adequate days in the window.
3. The trial is *met* if the best run has as many days as the policy requires. It is *not met* if only the claimed days
   do: better evidence shows less than the other records. It is *unknown* if only the possible days do, otherwise *not
   met*.
4. Its dates are those of the era that contains the best run: days with the drug at any dose, joined across holes of up
   to ``merge_gap_days``.
5. The outcome follows from reasons, scores, allergies and later treatments (see `outcomes`).
6. An agent that overlaps an antidepressant for ``augmentation_overlap_days`` is an augmentation. It is a trial of its
   own only where the parameter ``augmentation_counts`` says so.

Example, by the default policy (42 days): sertraline 100 mg once daily (minimum 50 mg), 30 days dispensed on 2026-01-01
and on 2026-02-10, then an order of venlafaxine on 2026-03-15. The hole of 10 days is spanned and not counted:
sertraline is one trial of 60 adequate days from 2026-01-01 to 2026-03-12, met, presumed to have failed because
venlafaxine was started.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from fhir_plugin.facts.days.days import DayMap
from fhir_plugin.facts.days.drugs import WindowedDrug, traits_of
from fhir_plugin.facts.days.intervals import AdequateRun, Interval, best_run, intersection, joined, overlap, union
from fhir_plugin.facts.medications.exposures import Exposure
from fhir_plugin.facts.medications.histories import MedicationHistory
from fhir_plugin.facts.trials.changes import allergies_of, changes_of
from fhir_plugin.facts.trials.outcomes import DatedTotal, OutcomeBasis, TreatmentChange, TrialOutcome, outcome_of
from fhir_plugin.facts.trials.trial import MET, NOT_MET, UNKNOWN, Augmentation, Trial, with_line
from fhir_plugin.record.record import Record
from mappings.schema.medications import Medications, TrialPolicy

_ENANTIOMERS = frozenset(("citalopram", "escitalopram"))


class _OutcomeSetting(NamedTuple):
    """What the outcome of one trial depends on besides its own drug."""

    changes: Sequence[TreatmentChange] = ()
    allergies: Sequence[tuple[str, int]] = ()
    concurrent: frozenset[str] = frozenset()
    enantiomers: frozenset[str] = frozenset()


class TrialScope:
    """The trials of one window of days, such as the current episode."""

    def __init__(
        self,
        record: Record,
        history: MedicationHistory,
        maps: Mapping[str, DayMap],
        medications: Medications,
        policy: TrialPolicy,
        window: Interval,
        scores: Sequence[DatedTotal],
        flags: tuple[str, ...],
    ) -> None:
        self._record = record
        self._history = history
        self._maps = maps
        self._medications = medications
        self._policy = policy
        self._first, self._last = window
        self._scores = scores
        self._flags = flags
        self._merge = int(medications.parameters["merge_gap_days"].value)
        self._gap = int(medications.parameters["run_gap_days"].value)
        self._drugs = [drug for name in sorted(history.exposures) if (drug := self._drug(name)) is not None]
        self.augmentations = tuple(self._augmentations())
        """Agents added to an antidepressant, sorted by name."""

    def trials(self) -> tuple[Trial, ...]:
        """The trials, oldest first."""
        trials = self._counted_augmentations()
        if self._drugs:
            ingredients = {drug.ingredient for drug in self._drugs}
            setting = _OutcomeSetting(
                changes_of(self._record, self._history, self._drugs, self.augmentations, self._medications),
                allergies_of(self._record, self._medications),
                self._concurrent(),
                _ENANTIOMERS if ingredients >= _ENANTIOMERS else frozenset(),
            )
            trials += [self._trial(drug, setting) for drug in self._drugs]
        return tuple(sorted(trials, key=lambda trial: (trial.start or date.max, trial.ingredient)))

    # one drug

    def _drug(self, ingredient: str) -> WindowedDrug | None:
        if "antidepressant" not in self._medications.ingredients[ingredient].groups:
            return None
        exposures = self._inside(ingredient)
        if not exposures:
            return None
        days = self._maps[ingredient]
        run = self._best(days.adequate)
        verdict, contradicted = self._verdict(run, days)
        covered = days.covered or union(
            [(e.window.start, e.window.stop) for e in exposures if e.window.start is not None]
        )
        eras = joined(covered, self._merge)
        return WindowedDrug(ingredient, exposures, days, eras, run, verdict, traits_of(exposures), contradicted)

    def _inside(self, ingredient: str) -> list[Exposure]:
        """The exposures that may lie in the window: those that may last into it, and undated ones."""
        first = self._first
        return [
            e
            for e in self._history.exposures[ingredient]
            if e.window.possible > first or e.window.start is None or e.window.start >= first
        ]

    def _best(self, intervals: Iterable[Interval]) -> AdequateRun:
        return best_run(intervals, self._first, self._last, self._gap)

    def _verdict(self, run: AdequateRun, days: DayMap) -> tuple[str, bool]:
        needed = self._policy.adequate_days
        if run.days >= needed:
            return MET, False
        claimed = days.claimed()
        if self._best(claimed).days >= needed:
            return NOT_MET, True
        return (UNKNOWN if self._best(days.possible(claimed)).days >= needed else NOT_MET), False

    def _concurrent(self) -> frozenset[str]:
        """Adequate drugs whose adequate days overlap for longer than a cross-taper."""
        longest = self._medications.parameters["cross_taper_days"].value
        met = [drug for drug in self._drugs if drug.verdict == MET]
        concurrent: set[str] = set()
        for at, drug in enumerate(met):
            for other in met[at + 1 :]:
                if overlap(drug.days.adequate, other.days.adequate) > longest:
                    concurrent |= {drug.ingredient, other.ingredient}
        return frozenset(concurrent)

    # augmentation

    def _augmentations(self) -> Iterable[Augmentation]:
        ingredients = self._medications.ingredients
        added = [name for name in sorted(self._history.exposures) if "augmentation" in ingredients[name].groups]
        if not added:
            return
        antidepressant = joined(union(i for drug in self._drugs for i in drug.days.covered), self._gap)
        for ingredient in added:
            days = self._maps[ingredient]
            ranged = self._medications.augmentation_minimum(ingredient) is not None
            certain = days.adequate if ranged else days.covered
            start = self._added(certain, antidepressant)
            possible = start or self._added(union([*certain, *days.possible(days.claimed())]), antidepressant)
            if possible is not None:
                yield Augmentation(
                    ingredient=ingredient,
                    start=date.fromordinal(possible),
                    certain=start is not None,
                    references=tuple(sorted({e.reference for e in self._inside(ingredient)})),
                )

    def _added(self, intervals: Sequence[Interval], antidepressant: Sequence[Interval]) -> int | None:
        """The first day of the first interval that overlaps an antidepressant for long enough in the window."""
        needed = self._medications.parameters["augmentation_overlap_days"].value
        for start, stop in joined(intervals, self._gap):
            clipped = [(max(start, self._first), min(stop, self._last))]
            if overlap(clipped, antidepressant) >= needed:
                return clipped[0][0]
        return None

    def _counted_augmentations(self) -> list[Trial]:
        """Augmentations as separate trials, where the site counts them."""
        if not self._medications.parameters["augmentation_counts"].value:
            return []
        antidepressant = union(i for drug in self._drugs for i in drug.days.adequate)
        trials = []
        for augmentation in self.augmentations:
            ingredient = augmentation.ingredient
            days = self._maps[ingredient]
            run = self._best(intersection(days.adequate, antidepressant))
            if run.days >= self._policy.adequate_days:
                exposures = self._inside(ingredient)
                drug = WindowedDrug(ingredient, exposures, days, list(days.covered), run, MET, traits_of(exposures))
                trials.append(self._trial(drug, _OutcomeSetting()))
        return trials

    # one trial

    def _trial(self, drug: WindowedDrug, setting: _OutcomeSetting) -> Trial:
        era = drug.era(self._first)
        ongoing = era is not None and era[1] >= self._last
        outcome = self._outcome(drug, era, setting)
        best = drug.highest(self._first, self._last)
        minimum = drug.traits.minimum
        start, stop = era or (drug.traits.first, None)
        trial = Trial(
            ingredient=drug.ingredient,
            drug_class=self._medications.ingredients[drug.ingredient].label_class,
            start=date.fromordinal(start) if start is not None else None,
            stop=date.fromordinal(stop) if stop is not None and not ongoing else None,
            adequate_days=drug.run.days,
            highest_daily_dose=best.mg if best else None,
            minimum_daily_dose=best.minimum if best else minimum.mg_per_day if minimum else None,
            instrument=minimum.instrument if minimum else None,
            adequate=drug.verdict,
            outcome=outcome.word,
            outcome_because=outcome.because,
            outcome_documented=outcome.documented,
            evidence_grade=drug.traits.kind,
            references=drug.traits.references,
            flags=self._flagged(drug, era, outcome, setting),
            line="",
        )
        return with_line(trial, self._medications)

    def _outcome(self, drug: WindowedDrug, era: Interval | None, setting: _OutcomeSetting) -> TrialOutcome:
        start, stop = era or (self._last, self._last)
        ongoing = era is not None and stop >= self._last
        until = stop + self._medications.parameters["switch_after_stop_days"].value
        allergic = any(name == drug.ingredient and start <= day <= until for name, day in setting.allergies)
        basis = OutcomeBasis(
            drug.ingredient, start, stop, drug.run.days, drug.verdict == MET, ongoing, self._meanings(drug), allergic
        )
        return outcome_of(basis, self._scores, setting.changes, self._last, self._medications)

    def _meanings(self, drug: WindowedDrug) -> frozenset[str]:
        """The meanings of the reasons and notes of its resources."""
        reasons = self._history.reasons.get(drug.ingredient)
        if not reasons:
            return frozenset()
        inside = set(drug.traits.references)
        return frozenset(meaning for reason in reasons if reason.reference in inside for meaning in reason.meanings)

    def _flagged(
        self, drug: WindowedDrug, era: Interval | None, outcome: TrialOutcome, setting: _OutcomeSetting
    ) -> tuple[str, ...]:
        flags = {*drug.traits.flags, *drug.days.flags, *self._flags, *outcome.flags}
        if drug.contradicted:
            flags.add("dispensed_less_than_ordered")
        if drug.ingredient in setting.concurrent:
            flags.add("concurrent")
        if sum([stop > self._first for _, stop in drug.eras]) > 1:
            flags.add("restarted")
        if era is not None and drug.has_hole(era, self._gap):
            flags.add("non_persistent")
        if drug.ingredient in setting.enantiomers:
            flags.add("enantiomers")
        return tuple(sorted(flags))
