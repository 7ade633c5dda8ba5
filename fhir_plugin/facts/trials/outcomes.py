"""The outcome of a trial and its basis: a reason, the scores, an adverse effect, the next treatment, or nothing."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from operator import attrgetter
from typing import NamedTuple

import msgspec

from fhir_plugin.facts.scores.assessment import Assessment
from mappings.schema.medications import Medications

FAILED = "failed"
PRESUMED = "failed_presumed"
FAILING = "failed_ongoing"
RESPONDED = "responded"
INTOLERANT = "intolerant"
ONGOING = "ongoing"
UNKNOWN = "unknown"

FAILURES = frozenset((FAILED, PRESUMED, FAILING))
OPEN = frozenset((ONGOING, UNKNOWN))
_PHQ9 = "phq9"
_BY_DAY = attrgetter("day")


class DatedTotal(msgspec.Struct, frozen=True, order=True, gc=False):
    """The total of one assessment, with its day."""

    day: int
    total: float
    instrument: str


class TreatmentChange(NamedTuple):
    """A treatment that was started, which may indicate that the previous one failed."""

    day: int
    ingredient: str
    """The drug, or the name of the procedure."""
    kind: str
    """``next_antidepressant``, ``augmented`` or ``interventional``."""


class TrialOutcome(NamedTuple):
    """The outcome of a trial, as a word and as a sentence."""

    word: str
    because: str
    documented: bool = False
    flags: tuple[str, ...] = ()


class OutcomeBasis(NamedTuple):
    """What the outcome of one trial is judged by."""

    ingredient: str
    start: int
    stop: int
    adequate_days: int
    adequate: bool
    ongoing: bool
    meanings: frozenset[str]
    """The meanings of reasons and notes."""
    allergic: bool


def scores_of(assessments: Sequence[Assessment], medications: Medications, as_of: int) -> list[DatedTotal]:
    """The totals of depression scales with an exact day up to ``as_of``, oldest first."""
    totals = []
    scales = medications.episodes.depression_scales
    for assessment in assessments:
        day = assessment.day
        if assessment.instrument not in scales:
            continue
        if assessment.total is not None and day is not None and day.first == day.last:
            ordinal = day.first.toordinal()
            if ordinal <= as_of:
                totals.append(DatedTotal(ordinal, assessment.total, assessment.instrument))
    return sorted(totals)


def outcome_of(
    basis: OutcomeBasis,
    scores: Sequence[DatedTotal],
    changes: Sequence[TreatmentChange],
    as_of: int,
    medications: Medications,
) -> TrialOutcome:
    """The outcome by the first rule that applies; failure by a change or by scores requires an adequate trial."""
    meanings = basis.meanings
    because = medications.wording.because
    if "no_efficacy" in meanings:
        return TrialOutcome(FAILED, because["no_efficacy"], documented=True)
    by_score = _by_scores(basis, scores, medications)
    if by_score is not None:
        return by_score
    if "intolerance" in meanings or basis.allergic:
        return TrialOutcome(
            INTOLERANT, because["intolerance" if "intolerance" in meanings else "allergy"], documented=True
        )
    if "response" in meanings:
        return TrialOutcome(RESPONDED, because["response_noted"], documented=True)
    if "not_clinical" in meanings:
        return TrialOutcome(UNKNOWN, because["not_clinical"])
    if basis.adequate:
        inferred = _by_change(basis, changes, medications) or _failing(basis, scores, as_of, medications)
        if inferred is not None:
            return inferred
    if basis.ongoing:
        return TrialOutcome(ONGOING, because["running"])
    return TrialOutcome(UNKNOWN, because["nothing"])


def _by_instrument(
    basis: OutcomeBasis, scores: Sequence[DatedTotal], medications: Medications
) -> Mapping[str, list[DatedTotal]]:
    """The scores from the baseline to the end of the trial, by instrument, the baseline first."""
    before = medications.parameters["baseline_before_days"].value
    after = medications.parameters["baseline_after_days"].value
    series: dict[str, list[DatedTotal]] = {}
    for score in scores:
        if basis.start - before <= score.day <= basis.start + after:
            series[score.instrument] = [score]
        elif basis.start + after < score.day <= basis.stop:
            series.setdefault(score.instrument, []).append(score)
    return series


def _by_scores(basis: OutcomeBasis, scores: Sequence[DatedTotal], medications: Medications) -> TrialOutcome | None:
    if not scores:
        return None
    for instrument, series in _by_instrument(basis, scores, medications).items():
        outcome = _by_series(basis, instrument, series, medications)
        if outcome is not None:
            return outcome
    return None


def _by_series(
    basis: OutcomeBasis, instrument: str, series: list[DatedTotal], medications: Medications
) -> TrialOutcome | None:
    after = basis.start + medications.parameters["baseline_after_days"].value
    baseline = series[0] if series[0].day <= after else None
    later = [score for score in series if score.day > after]
    if not later:
        return None
    responses = _responses(instrument, later, baseline, medications)
    if not responses:
        return None
    last = later[-1]
    depressed = medications.parameters["still_depressed_from"].value
    because = medications.wording.because
    words = {"instrument": instrument.upper(), "last": last.total, "first": baseline.total if baseline else 0}
    if instrument == _PHQ9 and last.total >= depressed and last not in responses:
        return TrialOutcome(
            FAILED, because["lost_response"].format(**words), documented=True, flags=("loss_of_response",)
        )
    if instrument != _PHQ9 and last not in responses:
        return None
    sentence = because["responded"] if baseline else because["remission"]
    return TrialOutcome(RESPONDED, sentence.format(**words), documented=True)


def _responses(
    instrument: str, scores: Iterable[DatedTotal], baseline: DatedTotal | None, medications: Medications
) -> list[DatedTotal]:
    """The totals that have fallen far enough from the baseline, or are in remission."""
    fall, remission = medications.parameters["response_fall"].value, medications.parameters["remission_below"].value
    fallen = baseline.total * (1 - fall) if baseline is not None and baseline.total > 0 else -math.inf
    below = remission if instrument == _PHQ9 else -math.inf
    return [score for score in scores if score.total <= fallen or score.total < below]


def _by_change(
    basis: OutcomeBasis, changes: Sequence[TreatmentChange], medications: Medications
) -> TrialOutcome | None:
    first = basis.start + medications.parameters["switch_after_start_days"].value
    last = basis.stop + medications.parameters["switch_after_stop_days"].value
    for at in range(bisect_left(changes, first, key=_BY_DAY), len(changes)):
        change = changes[at]
        if change.day > last:
            break
        if change.ingredient != basis.ingredient:
            day = date.fromordinal(change.day).isoformat()
            sentence = medications.wording.because[change.kind].format(ingredient=change.ingredient, day=day)
            return TrialOutcome(PRESUMED, sentence)
    return None


def _failing(
    basis: OutcomeBasis, scores: Sequence[DatedTotal], as_of: int, medications: Medications
) -> TrialOutcome | None:
    parameters = medications.parameters
    if not basis.ongoing or basis.adequate_days < parameters["ongoing_adequate_days"].value:
        return None
    series = _by_instrument(basis, scores, medications).get(_PHQ9, [])
    if not series or series[0].day > basis.start + parameters["baseline_after_days"].value:
        return None
    baseline, last = series[0], series[-1]
    recent = last is not baseline and as_of - last.day <= parameters["latest_score_days"].value
    worse = last.total >= parameters["still_depressed_from"].value
    if recent and worse and last.total > baseline.total * (1 - parameters["response_fall"].value):
        sentence = medications.wording.because["still_depressed"].format(
            instrument=_PHQ9.upper(),
            last=last.total,
            day=date.fromordinal(last.day).isoformat(),
            days=basis.adequate_days,
        )
        return TrialOutcome(FAILING, sentence, documented=True)
    return None
