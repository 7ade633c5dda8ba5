"""How treatment-resistant a depression is, by two published staging methods.

Every part is known or open. A total or a stage is given only when no part is open; otherwise its lowest and highest
possible values are given, never a guess between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from fhir_plugin.facts.fact import Count
from fhir_plugin.facts.trials.episodes import Episode, is_current_depression
from fhir_plugin.facts.trials.read import TrialHistory, has_failed, may_have_failed
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Condition, Procedure
from mappings.schema.base.systems import system_key
from mappings.schema.medications import Maudsley, Medications, Staging

MET, NOT_MET, UNKNOWN = "met", "not_met", "unknown"
STAGES = ("I", "II", "III", "IV", "V")
_DISTINCT = 2
"""Drug classes that stage II requires."""
_MONTHS = 12


class StagingPart(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the Maudsley Staging Method."""

    name: str
    points: int | None
    """``None``: open."""
    lowest: int
    highest: int
    because: str
    verification: str
    source: str


class MaudsleyStage(msgspec.Struct, frozen=True, kw_only=True):
    """The Maudsley Staging Method, 3 to 15 points."""

    parts: tuple[StagingPart, ...]
    total: int | None
    """``None`` while a part is open."""
    lowest: int
    highest: int
    band: str | None
    source: str
    verification: str
    note: str


class StageVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of Thase and Rush."""

    stage: str
    verdict: str


class ThaseRushStage(msgspec.Struct, frozen=True, kw_only=True):
    """The stage of Thase and Rush: the highest stage reached, unless a higher one is open."""

    stages: tuple[StageVerdict, ...]
    stage: str | None
    """``None`` while a higher stage is open; ``0`` where no trial failed."""
    at_least: str
    source: str
    verification: str
    note: str


class StagedDepression(msgspec.Struct, frozen=True, kw_only=True):
    """The results of both methods for one patient."""

    maudsley: MaudsleyStage
    thase_rush: ThaseRushStage


def read_staging(record: Record, history: TrialHistory, medications: Medications, as_of: date) -> StagedDepression:
    """Stage a depression by both methods."""
    staging = medications.staging
    facts = history.facts()
    failed, added = facts["trials.failed"].value, facts["trials.augmentation"].value
    method = staging.maudsley
    ect = _ect(record, staging)
    parts = (
        _duration(history.episode, as_of, method),
        _severity(record, medications, method),
        _failures(failed if isinstance(failed, Count) else _NO_COUNT, method),
        _augmentation(added if isinstance(added, Count) else _NO_COUNT, method),
        _ect_part(ect, method),
    )
    return StagedDepression(
        maudsley=_maudsley(parts, method),
        thase_rush=_thase_rush(history, ect, staging),
    )


_NO_COUNT = Count(low=0, high=None)


def _part(name: str, lowest: int, highest: int, because: str, rated: tuple[str, str]) -> StagingPart:
    points = lowest if lowest == highest else None
    return StagingPart(
        name=name,
        points=points,
        lowest=lowest,
        highest=highest,
        because=because,
        verification=rated[0],
        source=rated[1],
    )


def _months(start: date, end: date) -> int:
    """Months between two days, rounded up: exactly twelve months are twelve, one day more is thirteen."""
    whole = (end.year - start.year) * _MONTHS + end.month - start.month
    return whole + (end.day > start.day)


def _duration(episode: Episode, as_of: date, method: Maudsley) -> StagingPart:
    steps = method.duration_months
    reached = steps.points(_months(episode.start, as_of)) or 0
    top, bottom = steps.steps[-1][1], steps.steps[0][1]
    rated = (steps.verification.value, steps.source)
    if episode.source != "lookback" and episode.earliest == episode.start:
        return _part("duration", reached, reached, f"episode since {episode.start}", rated)
    if episode.source != "lookback":
        return _part("duration", reached, top, f"depressed at least since {episode.start}", rated)
    return _part("duration", bottom, top, "the start of the episode is not on the record", rated)


def _severity(record: Record, medications: Medications, method: Maudsley) -> StagingPart:
    severity = method.severity
    rated = (severity.verification.value, severity.source)
    tables = ((medications.systems.icd10, severity.icd10), (medications.systems.snomed, severity.snomed))
    grades = {
        table[coding.code]
        for condition in record.all("conditions", Condition)
        if is_current_depression(condition, medications) and condition.code is not None
        for coding in condition.code.coding
        for systems, table in tables
        if system_key(coding.system) in systems and coding.code in table
    }
    points = sorted(severity.points[name] for name in grades)
    if not points:
        all_points = severity.points.values()
        return _part(
            "severity", min(all_points), max(all_points), "no diagnosis on the record states the severity", rated
        )
    because = "the diagnosis states the severity" if len(points) == 1 else "diagnoses disagree on the severity"
    return _part("severity", points[0], points[-1], because, rated)


def _failures(failed: Count, method: Maudsley) -> StagingPart:
    steps = method.failures
    rated = (steps.verification.value, steps.source)
    lowest = steps.points(failed.low) or 0
    highest = steps.steps[-1][1] if failed.high is None else steps.points(failed.high) or 0
    upper = "an unknown number" if failed.high is None else str(failed.high)
    because = f"{failed.low} failed" if failed.low == failed.high else f"{failed.low} failed, at most {upper}"
    return _part("treatment failures", lowest, highest, because, rated)


def _augmentation(added: Count, method: Maudsley) -> StagingPart:
    points = method.augmentation
    rated = (points.verification.value, points.source)
    if added.low:
        return _part("augmentation", points.used, points.used, "an augmentation is on the record", rated)
    if added.high == 0:
        return _part("augmentation", points.not_used, points.not_used, "no augmentation on the record", rated)
    return _part("augmentation", points.not_used, points.used, "the record does not settle it", rated)


def _ect(record: Record, staging: Staging) -> str:
    """Whether ECT was given; a complete, non-empty list of procedures without ECT means no, an empty list nothing."""
    count = 0
    for procedure in record.all("procedures", Procedure):
        count += 1
        codings = procedure.code.coding if procedure.code else ()
        done = procedure.status in ("completed", "in-progress")
        if done and any((coding.system, coding.code) in staging.ect_codes.pairs for coding in codings):
            return MET
    return NOT_MET if count and record.input("procedures").whole else UNKNOWN


def _ect_part(ect: str, method: Maudsley) -> StagingPart:
    points = method.ect
    rated = (points.verification.value, points.source)
    if ect == MET:
        return _part("ECT", points.used, points.used, "ECT is on the record", rated)
    if ect == NOT_MET:
        return _part("ECT", points.not_used, points.not_used, "no ECT among the procedures", rated)
    return _part("ECT", points.not_used, points.used, "the record does not say", rated)


def _maudsley(parts: Sequence[StagingPart], method: Maudsley) -> MaudsleyStage:
    lowest, highest = sum(part.lowest for part in parts), sum(part.highest for part in parts)
    failures = next(part for part in parts if part.name == "treatment failures")
    total = lowest if lowest == highest and failures.lowest else None
    band = [name for threshold, name in method.bands if total is not None and total >= threshold]
    return MaudsleyStage(
        parts=tuple(parts),
        total=total,
        lowest=lowest,
        highest=highest,
        band=band[-1] if band else None,
        source=method.source,
        verification=method.verification.value,
        note=method.note,
    )


def _thase_rush(history: TrialHistory, ect: str, staging: Staging) -> ThaseRushStage:
    method = staging.thase_rush
    sure = {trial.drug_class for trial in history.trials if has_failed(trial)}
    perhaps = {trial.drug_class for trial in history.trials if has_failed(trial) or may_have_failed(trial)}
    reached = _reached(sure, staging)
    open_end = len(STAGES) - 1 if history.missing else _reached(perhaps, staging)
    verdicts = [MET if at < reached else UNKNOWN if at < open_end else NOT_MET for at in range(len(STAGES))]
    if open_end == len(STAGES) - 1 and ect != NOT_MET:
        verdicts[-1] = UNKNOWN
    at_least = STAGES[reached - 1] if reached else "0"
    return ThaseRushStage(
        stages=tuple(StageVerdict(stage=s, verdict=v) for s, v in zip(STAGES, verdicts, strict=True)),
        stage=None if UNKNOWN in verdicts else at_least,
        at_least=at_least,
        source=method.source,
        verification=method.verification.value,
        note=method.note,
    )


def _reached(classes: Iterable[str], staging: Staging) -> int:
    """How many of stages I to IV these failed classes reach; stage V depends on ECT, not on drugs."""
    failed = set(classes)
    steps = (
        bool(failed),
        len(failed) >= _DISTINCT,
        staging.thase_rush.tricyclic in failed,
        staging.thase_rush.mao_inhibitor in failed,
    )
    return next((at for at, step in enumerate(steps) if not step), len(steps))
