"""Antidepressant trials as a careful psychiatrist counts them: by dose, duration and outcome in this episode.

One trial per ingredient and episode. A trial is adequate (met), is not (not_met), or the record does not say (unknown);
an unknown one widens the upper bound of every count that it could belong to. Nothing is guessed: every number carries
the resources that it rests on, and every uncertain reading carries a flag.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import chain
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from fhir_plugin.facts.days.days import map_days
from fhir_plugin.facts.fact import Count, Evidence, Fact
from fhir_plugin.facts.medications.histories import INPUTS, MedicationHistory, UnmappedMedication, read_history
from fhir_plugin.facts.medications.products import ProductReader
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.trials.counting import TrialScope
from fhir_plugin.facts.trials.episodes import Episode, current_episode
from fhir_plugin.facts.trials.outcomes import (
    FAILED,
    FAILURES,
    INTOLERANT,
    OPEN,
    PRESUMED,
    RESPONDED,
    scores_of,
)
from fhir_plugin.facts.trials.told import told_trials
from fhir_plugin.facts.trials.trial import MET, UNKNOWN, Augmentation, Trial
from fhir_plugin.record.dates import DaySpan
from fhir_plugin.record.record import Record
from mappings.schema.medications import Medications

READ_GROUPS = frozenset(("antidepressant", "augmentation", "ketamine"))
TRIALS = "trials"
"""Prefix of the names of all facts about trials."""
LIFETIME = date.min.toordinal()
"""The first day of a lifetime, as an ordinal."""


def has_failed(trial: Trial) -> bool:
    """Whether it counts as a failed adequate trial."""
    return trial.adequate == MET and trial.outcome in FAILURES


def may_have_failed(trial: Trial) -> bool:
    """Whether it may be a failed adequate trial, although the record does not show that it is."""
    if trial.adequate == MET:
        return trial.outcome in OPEN
    return trial.adequate == UNKNOWN and trial.outcome not in (RESPONDED, INTOLERANT)


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """The number of trials of every kind; merely possible ones are not included."""

    adequate: int
    failed: int
    failed_documented: int
    intolerance: int
    indeterminate: int
    augmentation: int


class _Counted(NamedTuple):
    """The trials of one kind."""

    low: int
    more: int
    """How many more there may be."""
    evidence: tuple[Evidence, ...]


class TrialHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The trials of one patient."""

    trials: tuple[Trial, ...]
    """Of the current episode, oldest first."""
    lifetime_trials: tuple[Trial, ...]
    """One per ingredient over all time."""
    augmentations: tuple[Augmentation, ...]
    lifetime_augmentations: tuple[Augmentation, ...]
    unmapped: tuple[UnmappedMedication, ...]
    episode: Episode
    policy: str
    adequate_days_required: int
    parameters: Mapping[str, float]
    missing: tuple[str, ...]
    looked_in: tuple[str, ...]
    undated: tuple[str, ...] = ()
    """Why it is not known which trials belong to the current episode: the problem list was not read whole."""
    possible_trials: tuple[Trial, ...] = ()
    """Of the current episode, if it began as early as it may have."""
    doubted: frozenset[str] = frozenset()
    """Kinds of evidence that an incompletely read input might refute."""

    @property
    def counters(self) -> Counters:
        """The counters of the current episode."""
        return _counters(self.trials, self.augmentations)

    @property
    def lifetime(self) -> Counters:
        """The counters of a lifetime: distinct ingredients."""
        return _counters(self.lifetime_trials, self.lifetime_augmentations)

    def facts(self) -> dict[str, Fact]:
        """The named facts that criteria compare."""
        counted = self._counted(self.trials, self.augmentations)
        within = self.trials is self.lifetime_trials and self.augmentations is self.lifetime_augmentations
        ever = counted if within else self._counted(self.lifetime_trials, self.lifetime_augmentations)
        current = self._facts(TRIALS, counted)
        if self.possible_trials != self.trials or self.undated:
            possible = self._facts(TRIALS, self._counted(self.possible_trials, self.lifetime_augmentations))
            current = {name: self._open(fact, possible[name]) for name, fact in current.items()}
        return current | self._facts(f"{TRIALS}.lifetime", ever)

    def _open(self, fact: Fact, possible: Fact) -> Fact:
        """The count of an episode that may have begun earlier, or on a day that is not known at all."""
        if self.undated:
            return replace(fact, value=Count(low=0, high=None), missing=(*fact.missing, *self.undated))
        (low, high), (_, most) = _bounds(fact), _bounds(possible)
        return replace(fact, value=Count(low=low, high=None if high is None or most is None else max(high, most)))

    def _counted(self, trials: Sequence[Trial], augmentations: Sequence[Augmentation]) -> dict[str, _Counted]:
        """How many trials of each kind there are, and how many more there may be."""
        counters = _counters([trial for trial in trials if trial.evidence_grade not in self.doubted], augmentations)
        unclear = [trial for trial in trials if trial.adequate == UNKNOWN]
        met = [trial for trial in trials if trial.adequate == MET]
        perhaps = list(filter(may_have_failed, trials))
        failure_noted = [trial for trial in unclear if trial.outcome == FAILED]
        failed = list(filter(has_failed, trials))
        intolerant = [trial for trial in trials if trial.outcome == INTOLERANT]
        added = sum(not augmentation.certain for augmentation in augmentations)
        return {
            "adequate": _Counted(counters.adequate, len(unclear), _evidence(met, unclear)),
            "failed": _Counted(counters.failed, len(perhaps), _evidence(failed, perhaps)),
            "failed_documented": _Counted(
                counters.failed_documented, len(failure_noted), _evidence(failed, failure_noted)
            ),
            "intolerance": _Counted(counters.intolerance, 0, _evidence(intolerant)),
            "indeterminate": _Counted(counters.indeterminate, 0, _evidence(unclear)),
            "augmentation": _Counted(counters.augmentation, added, ()),
        }

    def _facts(self, prefix: str, counted: Mapping[str, _Counted]) -> dict[str, Fact]:
        facts = [self._fact(f"{prefix}.{name}", count) for name, count in counted.items()]
        return {fact.name: fact for fact in facts}

    def _fact(self, name: str, counted: _Counted) -> Fact:
        high = None if self.missing else counted.low + counted.more
        return Fact(
            name=name,
            value=Count(low=counted.low, high=high),
            evidence=counted.evidence,
            missing=self.missing,
            looked_in=self.looked_in,
        )


def _bounds(fact: Fact) -> tuple[int, int | None]:
    return (fact.value.low, fact.value.high) if isinstance(fact.value, Count) else (0, None)


def read_trials(
    record: Record,
    medications: Medications,
    as_of: date,
    *,
    assessments: Sequence[Assessment] = (),
    episode_start: DaySpan | None = None,
    policy: str | None = None,
    products: ProductReader | None = None,
) -> TrialHistory:
    """The trials that a record shows up to ``as_of``.

    Raises ``KeyError`` for a policy that does not exist.
    """
    chosen = medications.policy(policy)
    today = as_of.toordinal()
    episode = current_episode(record, medications, as_of, episode_start)
    history = read_history(record, medications, chosen, today, READ_GROUPS, products)
    scores = scores_of(assessments, medications, today)
    maps = {name: map_days(exposures, medications) for name, exposures in history.exposures.items()}
    flags = ("lookback",) if episode.source == "lookback" else ()
    first = episode.first
    current = TrialScope(record, history, maps, medications, chosen, (first, today), scores, flags)
    before = any(e.window.earliest < first for exposures in history.exposures.values() for e in exposures)
    lifetime = (
        TrialScope(record, history, maps, medications, chosen, (LIFETIME, today), scores, ()) if before else current
    )
    trials = current.trials()
    lifetime_trials = lifetime.trials() if before else trials
    possible = trials
    if before and episode.earliest == date.min:
        possible = lifetime_trials
    elif before and episode.earliest < episode.start:
        window = (episode.earliest.toordinal(), today)
        possible = TrialScope(record, history, maps, medications, chosen, window, scores, flags).trials()
    return TrialHistory(
        trials=trials,
        lifetime_trials=lifetime_trials,
        possible_trials=possible,
        undated=() if episode.source == "given" else record.gaps(("conditions",)),
        augmentations=current.augmentations,
        lifetime_augmentations=lifetime.augmentations,
        unmapped=history.unmapped,
        episode=episode,
        policy=policy or medications.default_policy,
        adequate_days_required=chosen.adequate_days,
        parameters={name: parameter.value for name, parameter in medications.parameters.items()},
        missing=(*_missing(record, history), *_told(record, lifetime_trials, medications)),
        doubted=_doubted(record),
        looked_in=record.looked_in(*INPUTS),
    )


_WEAKER_THAN_A_DISPENSE = frozenset({"ordered", "stated"})


def _doubted(record: Record) -> frozenset[str]:
    """Ordered or stated trials are uncertain while the dispenses, which may show less, were not fully read."""
    return _WEAKER_THAN_A_DISPENSE if record.gaps(("medicationDispenses",)) else frozenset()


def _missing(record: Record, history: MedicationHistory) -> tuple[str, ...]:
    """Why a count has no upper bound; an unrecognised drug may be an antidepressant that failed."""
    gaps = record.gaps(INPUTS)
    if not history.resources:
        return (*gaps, "no medication resource on the record")
    if history.nameless:
        return (*gaps, "a medication without a name or a code")
    if any(unmapped.antidepressant for unmapped in history.unmapped):
        return (*gaps, "a medication that may be an antidepressant is not recognised")
    return gaps


def _told(record: Record, trials: Sequence[Trial], medications: Medications) -> tuple[str, ...]:
    """Whether words tell of a trial that does not stand among the failed ones."""
    told = told_trials(record, medications)
    known = {trial.ingredient for trial in trials if has_failed(trial)}
    return (medications.wording.missing["told"],) if told - known else ()


def _evidence(*trials: Iterable[Trial]) -> tuple[Evidence, ...]:
    return tuple([_piece(trial) for trial in chain(*trials) if trial.references])


def _piece(trial: Trial) -> Evidence:
    day = DaySpan(trial.start, trial.start) if trial.start else None
    return Evidence(
        reference=trial.references[0], label=trial.ingredient, name=trial.ingredient, day=day, note=trial.line
    )


def _counters(trials: Iterable[Trial], augmentations: Iterable[Augmentation]) -> Counters:
    trials = tuple(trials)
    return Counters(
        adequate=sum(trial.adequate == MET for trial in trials),
        failed=sum(has_failed(trial) for trial in trials),
        failed_documented=sum(has_failed(trial) and trial.outcome != PRESUMED for trial in trials),
        intolerance=sum(trial.outcome == INTOLERANT for trial in trials),
        indeterminate=sum(trial.adequate == UNKNOWN for trial in trials),
        augmentation=sum(augmentation.certain for augmentation in augmentations),
    )
