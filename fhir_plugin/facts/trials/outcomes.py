"""How a trial ended, and what says so: a reason, the scores, an adverse effect, the next treatment, or nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import date
from operator import attrgetter
from typing import NamedTuple

from fhir_plugin.facts.scores.read import Assessment
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


class DatedTotal(NamedTuple):
    """One dated total."""

    day: int
    total: float
    instrument: str


class TreatmentChange(NamedTuple):
    """A treatment that was started: it may speak of the failure of the one before."""

    day: int
    ingredient: str
    """The drug, or the name of the procedure."""
    kind: str
    """``next_antidepressant``, ``augmented`` or ``interventional``."""


class TrialOutcome(NamedTuple):
    """How a trial ended, in a word and in a sentence."""

    word: str
    because: str
    documented: bool = False
    flags: tuple[str, ...] = ()


class OutcomeBasis(NamedTuple):
    """What the outcome of one trial is judged on."""

    ingredient: str
    start: int
    stop: int
    adequate_days: int
    adequate: bool
    ongoing: bool
    meanings: frozenset[str]
    """What reasons and notes say."""
    allergic: bool


def scores_of(assessments: Sequence[Assessment], known: Medications, as_of: int) -> list[DatedTotal]:
    """The totals of depression scales of a certain day up to ``as_of``, oldest first."""
    found = []
    for assessment in assessments:
        day = assessment.day
        if assessment.instrument not in known.episodes.depression_scales:
            continue
        if assessment.total is not None and day is not None and day.first == day.last:
            ordinal = day.first.toordinal()
            if ordinal <= as_of:
                found.append(DatedTotal(ordinal, assessment.total, assessment.instrument))
    return sorted(found)


def outcome_of(
    course: OutcomeBasis,
    scores: Sequence[DatedTotal],
    changes: Sequence[TreatmentChange],
    as_of: int,
    known: Medications,
) -> TrialOutcome:
    """The outcome by the first rule that applies; rules of failure by change or score ask for an adequate trial."""
    said = course.meanings
    because = known.wording.because
    if "no_efficacy" in said:
        return TrialOutcome(FAILED, because["no_efficacy"], documented=True)
    by_score = _by_scores(course, scores, known)
    if by_score is not None:
        return by_score
    if "intolerance" in said or course.allergic:
        return TrialOutcome(INTOLERANT, because["intolerance" if "intolerance" in said else "allergy"], documented=True)
    if "response" in said:
        return TrialOutcome(RESPONDED, because["response_noted"], documented=True)
    if "not_clinical" in said:
        return TrialOutcome(UNKNOWN, because["not_clinical"])
    if course.adequate:
        inferred = _by_change(course, changes, known) or _failing(course, scores, as_of, known)
        if inferred is not None:
            return inferred
    if course.ongoing:
        return TrialOutcome(ONGOING, because["running"])
    return TrialOutcome(UNKNOWN, because["nothing"])


def _by_instrument(
    course: OutcomeBasis, scores: Sequence[DatedTotal], known: Medications
) -> Mapping[str, list[DatedTotal]]:
    """The scores from the baseline on to the end of the trial, by instrument; the baseline first."""
    before = known.parameters["baseline_before_days"].value
    after = known.parameters["baseline_after_days"].value
    found: dict[str, list[DatedTotal]] = {}
    for score in scores:
        if course.start - before <= score.day <= course.start + after:
            found[score.instrument] = [score]
        elif course.start + after < score.day <= course.stop:
            found.setdefault(score.instrument, []).append(score)
    return found


def _by_scores(course: OutcomeBasis, scores: Sequence[DatedTotal], known: Medications) -> TrialOutcome | None:
    if not scores:
        return None
    for instrument, series in _by_instrument(course, scores, known).items():
        outcome = _by_series(course, instrument, series, known)
        if outcome is not None:
            return outcome
    return None


def _by_series(
    course: OutcomeBasis, instrument: str, series: list[DatedTotal], known: Medications
) -> TrialOutcome | None:
    after = course.start + known.parameters["baseline_after_days"].value
    baseline = series[0] if series[0].day <= after else None
    later = [score for score in series if score.day > after]
    if not later:
        return None
    fall, remission = known.parameters["response_fall"].value, known.parameters["remission_below"].value
    depressed = known.parameters["still_depressed_from"].value
    responses = [
        score
        for score in later
        if (baseline is not None and baseline.total > 0 and score.total <= baseline.total * (1 - fall))
        or (instrument == _PHQ9 and score.total < remission)
    ]
    if not responses:
        return None
    last = later[-1]
    because = known.wording.because
    words = {"instrument": instrument.upper(), "last": last.total, "first": baseline.total if baseline else 0}
    if instrument == _PHQ9 and last.total >= depressed and last not in responses:
        return TrialOutcome(
            FAILED, because["lost_response"].format(**words), documented=True, flags=("loss_of_response",)
        )
    if instrument != _PHQ9 and last not in responses:
        return None
    sentence = because["responded"] if baseline else because["remission"]
    return TrialOutcome(RESPONDED, sentence.format(**words), documented=True)


def _by_change(course: OutcomeBasis, changes: Sequence[TreatmentChange], known: Medications) -> TrialOutcome | None:
    first = course.start + known.parameters["switch_after_start_days"].value
    last = course.stop + known.parameters["switch_after_stop_days"].value
    for at in range(bisect_left(changes, first, key=_BY_DAY), len(changes)):
        change = changes[at]
        if change.day > last:
            break
        if change.ingredient != course.ingredient:
            day = date.fromordinal(change.day).isoformat()
            sentence = known.wording.because[change.kind].format(ingredient=change.ingredient, day=day)
            return TrialOutcome(PRESUMED, sentence)
    return None


def _failing(course: OutcomeBasis, scores: Sequence[DatedTotal], as_of: int, known: Medications) -> TrialOutcome | None:
    parameters = known.parameters
    if not course.ongoing or course.adequate_days < parameters["ongoing_adequate_days"].value:
        return None
    series = _by_instrument(course, scores, known).get(_PHQ9, [])
    if not series or series[0].day > course.start + parameters["baseline_after_days"].value:
        return None
    baseline, last = series[0], series[-1]
    recent = last is not baseline and as_of - last.day <= parameters["latest_score_days"].value
    worse = last.total >= parameters["still_depressed_from"].value
    if recent and worse and last.total > baseline.total * (1 - parameters["response_fall"].value):
        sentence = known.wording.because["still_depressed"].format(
            instrument=_PHQ9.upper(),
            last=last.total,
            day=date.fromordinal(last.day).isoformat(),
            days=course.adequate_days,
        )
        return TrialOutcome(FAILING, sentence, documented=True)
    return None
