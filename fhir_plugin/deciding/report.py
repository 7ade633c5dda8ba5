"""A decision as the JSON object that ``tandem assess`` prints and other programs rely on. Pure."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from fhir_plugin.deciding.decide import Decision
from fhir_plugin.deciding.headline import headline_of
from fhir_plugin.deciding.recommend import TreatmentAnswer
from fhir_plugin.deciding.standing import WeighedFinding, reasons
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.facts.trials.report import shown_trial
from mappings.schema.load import Knowledge


class CriterionReport(msgspec.Struct, frozen=True, kw_only=True):
    """One criterion and its result."""

    id: str
    role: str
    verdict: str
    """Whether the statement holds: for a contraindication ``met`` means that it is present."""
    statement: str
    because: str
    missing: tuple[str, ...]
    evidence: tuple[str, ...]
    """References, ``Type/id``."""
    looked_in: tuple[str, ...]
    sources: tuple[str, ...]


class TreatmentReport(msgspec.Struct, frozen=True, kw_only=True):
    """The standing of one treatment."""

    treatment: str
    verdict: str
    headline: str
    """The standing with its weightiest reasons, as a card says it."""
    reasons: tuple[str, ...]
    """The criteria that it rests on, weightiest first."""


class ScoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """One assessment; ``total`` is ``None`` where no total may be given."""

    instrument: str
    total: float | None
    severity: str | None
    day: str | None
    flags: tuple[str, ...]
    suicide_item_positive: bool | None
    references: tuple[str, ...]


class DecisionReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was concluded about one patient on one day."""

    patient: str
    as_of: date
    protocol: str
    verdict: str
    criteria: tuple[CriterionReport, ...]
    treatments: tuple[TreatmentReport, ...]
    trials: tuple[dict[str, Any], ...]
    scores: tuple[ScoreReport, ...]
    unread: tuple[str, ...]
    dropped: int
    knowledge: str


def report(decision: Decision, knowledge: Knowledge) -> DecisionReport:
    """The report of a decision, for the treatment that the protocol puts first."""
    recommendation, record = decision.recommendation, decision.record
    focus = knowledge.protocols[recommendation.protocol].focus
    weighed = next(answer.weighed for answer in recommendation.treatments if answer.treatment == focus)
    return DecisionReport(
        patient=record.patient_id,
        as_of=decision.facts.as_of,
        protocol=recommendation.protocol,
        verdict=recommendation.verdict.value,
        criteria=tuple(_criterion(finding, knowledge) for finding in weighed),
        treatments=tuple(
            _treatment(answer, knowledge, ordering=bool(recommendation.ordered)) for answer in recommendation.treatments
        ),
        trials=tuple(map(shown_trial, decision.facts.trials.trials)),
        scores=tuple(map(_score, decision.facts.scores.assessments)),
        unread=(
            *record.gaps(tuple(knowledge.inputs)),
            *(f"{unread.where}: {unread.why}" for unread in record.unread),
        ),
        dropped=record.dropped,
        knowledge=knowledge.digest,
    )


def _treatment(answer: TreatmentAnswer, knowledge: Knowledge, *, ordering: bool) -> TreatmentReport:
    return TreatmentReport(
        treatment=answer.treatment,
        verdict=answer.standing.value,
        headline=headline_of(answer, knowledge, ordering=ordering).text,
        reasons=tuple(weighed.finding.criterion for weighed in reasons(answer.weighed)),
    )


def _score(assessment: Assessment) -> ScoreReport:
    return ScoreReport(
        instrument=assessment.instrument,
        total=assessment.total,
        severity=assessment.severity,
        day=str(assessment.day) if assessment.day else None,
        flags=assessment.flags,
        suicide_item_positive=assessment.suicide_item_positive,
        references=tuple(dict.fromkeys((assessment.reference, *assessment.recorded_as))),
    )


def _criterion(weighed: WeighedFinding, knowledge: Knowledge) -> CriterionReport:
    finding = weighed.finding
    return CriterionReport(
        id=finding.criterion,
        role=weighed.role.value,
        verdict=finding.verdict.value,
        statement=knowledge.criteria[finding.criterion].statement,
        because=finding.because,
        missing=finding.missing,
        evidence=tuple(evidence.reference for evidence in finding.evidence),
        looked_in=finding.looked_in,
        sources=finding.sources,
    )
