"""The documentation for a prior authorization, assembled from the record as one plain object. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import msgspec

from fhir_plugin.deciding.decide import Decision
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.deciding.headline import headline_of
from fhir_plugin.deciding.standing import WeighedFinding
from fhir_plugin.facts.coverage import ActiveCoverages, read_coverages
from fhir_plugin.facts.fact import Evidence, Presence
from fhir_plugin.facts.trials.trial import Trial
from fhir_plugin.payers.checklist import Checklist, checklist, policies_for
from fhir_plugin.payers.dossier_record import DiagnosisLine, Person, diagnoses, person
from mappings.schema.load import Knowledge
from mappings.schema.payers.model import PayerPolicy, UnanswerableItem
from mappings.schema.rules.protocols import AGAINST, FORBIDDING

_PSYCHOTHERAPY = "conditions.psychotherapy"


class CoverageLine(msgspec.Struct, frozen=True, kw_only=True):
    """One Coverage in force; text of the record."""

    payer: str
    plan: str
    member: str
    reference: str


class TrialLine(msgspec.Struct, frozen=True, kw_only=True):
    """One antidepressant."""

    trial: Trial
    earlier: bool
    """Whether it lies before the present episode."""


class DatedLine(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is on the record, with its date; the label is text of the record."""

    day: str
    label: str
    note: str
    reference: str


class ScoreLine(msgspec.Struct, frozen=True, kw_only=True):
    """One assessment."""

    day: str
    scale: str
    total: float | None
    severity: str | None
    suicide_item_positive: bool | None
    references: tuple[str, ...]


class SafetyLine(msgspec.Struct, frozen=True, kw_only=True):
    """One contraindication or caution that was looked for; ``met`` is present."""

    title: str
    bars: bool
    """Whether it excludes the treatment when it is present; otherwise it is a caution."""
    verdict: Verdict
    because: str
    evidence: tuple[Evidence, ...]
    looked_in: tuple[str, ...]


class SourceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One source of the checklists."""

    citation: str
    read: str


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """The whole dossier."""

    treatment: str
    as_of: date
    gaps: tuple[str, ...]
    """What has to be completed, without text of the record; open items of the checklists come first."""
    person: Person
    covers: tuple[CoverageLine, ...]
    checklists: tuple[Checklist, ...]
    diagnoses: tuple[DiagnosisLine, ...]
    episode: date
    trial_policy: str
    trials: tuple[TrialLine, ...]
    augmentations: tuple[DatedLine, ...]
    unnamed: tuple[DatedLine, ...]
    """Medications that were not recognised, so that they may be antidepressants."""
    psychotherapy: tuple[DatedLine, ...]
    scores: tuple[ScoreLine, ...]
    courses: tuple[DatedLine, ...]
    standing: str
    """The standing of the treatment with its weightiest reasons."""
    safety: tuple[SafetyLine, ...]
    protocol: str
    sources: tuple[SourceLine, ...]
    knowledge: str


def build_dossier(
    decision: Decision, knowledge: Knowledge, treatment: str, chosen: PayerPolicy | None = None
) -> Dossier:
    """The dossier for one treatment, by the policy that was chosen, else by those that may apply."""
    facts, record = decision.facts, decision.record
    covers = read_coverages(record, facts.as_of)
    policies = (chosen,) if chosen else policies_for(covers.covers, treatment, knowledge)
    findings = {finding.criterion: finding for finding in decision.findings}
    lists = tuple(checklist(policy, facts, findings, knowledge) for policy in policies)
    medications = knowledge.medications
    return Dossier(
        treatment=treatment,
        as_of=facts.as_of,
        gaps=tuple(dict.fromkeys(_gaps(decision, covers, lists, chosen, treatment, knowledge))),
        person=person(record, knowledge),
        covers=tuple(
            CoverageLine(payer=cover.payer, plan=cover.plan, member=cover.member, reference=cover.reference)
            for cover in covers.covers
        ),
        checklists=lists,
        diagnoses=tuple(diagnoses(decision)),
        episode=facts.trials.episode.start,
        trial_policy=medications.policies[facts.trials.policy].label,
        trials=tuple(_trials(decision)),
        augmentations=tuple(
            DatedLine(day=str(added.start), label=added.ingredient, note="", reference=", ".join(added.references))
            for added in facts.trials.augmentations
        ),
        unnamed=tuple(
            DatedLine(day="", label=drug.label, note="", reference=drug.reference) for drug in facts.trials.unmapped
        ),
        psychotherapy=tuple(_entries(decision, _PSYCHOTHERAPY)),
        scores=tuple(_scores(decision)),
        courses=tuple(_courses(decision)),
        standing=_standing(decision, treatment, knowledge),
        safety=tuple(_safety(decision, treatment, knowledge)),
        protocol=knowledge.protocols[decision.recommendation.protocol].title,
        sources=tuple(_sources(lists, knowledge)),
        knowledge=knowledge.digest,
    )


def _gaps(
    decision: Decision,
    covers: ActiveCoverages,
    lists: Sequence[Checklist],
    chosen: PayerPolicy | None,
    treatment: str,
    knowledge: Knowledge,
) -> Iterator[str]:
    words, record = knowledge.dossier.gaps, decision.record
    yield from _open_items(decision, lists, treatment, knowledge)
    if chosen:
        yield words["chosen"]
    elif not covers.covers:
        yield words["no_coverage"]
    elif all(payer_list.generic for payer_list in lists):
        yield words["unknown_payer"]
    for gap in record.gaps(knowledge.inputs):
        yield words["not_read"].format(what=gap)
    for unread in record.unread:
        yield words["unread"].format(where=unread.where, why=unread.why)
    if decision.facts.trials.unmapped:
        yield words["unnamed"].format(count=len(decision.facts.trials.unmapped))
    if record.dropped:
        yield words["dropped"].format(count=record.dropped)


def _open_items(decision: Decision, lists: Sequence[Checklist], treatment: str, knowledge: Knowledge) -> Iterator[str]:
    """What would settle the open items, and the contraindications that the record does not exclude."""
    sentence = knowledge.dossier.gaps["settle"]
    for item in (item for payer_list in lists for item in payer_list.of(Verdict.UNKNOWN)):
        yield sentence.format(item=item.title, settle=item.settle)
    yield from _commonly_asked(lists, treatment, knowledge)
    for weighed in _looked_for(decision, treatment):
        if weighed.finding.verdict is Verdict.UNKNOWN and weighed.role in FORBIDDING:
            criterion = knowledge.criteria[weighed.finding.criterion]
            yield sentence.format(item=criterion.title, settle=criterion.ask.words)


def _commonly_asked(lists: Sequence[Checklist], treatment: str, knowledge: Knowledge) -> Iterator[str]:
    """What payers commonly require beyond the record, unless the applied policies already include it."""
    generic = knowledge.payers.generic(treatment)
    named = {item.id for payer_list in lists for item in payer_list.items}
    for item in generic.items if generic else ():
        if isinstance(item, UnanswerableItem) and item.id not in named:
            yield knowledge.dossier.gaps["commonly"].format(item=item.title, settle=item.settle)


def _trials(decision: Decision) -> Iterator[TrialLine]:
    """The trials of the episode, then earlier trials of other drugs."""
    history = decision.facts.trials
    current = {trial.ingredient for trial in history.trials}
    yield from (TrialLine(trial=trial, earlier=False) for trial in history.trials)
    earlier = (trial for trial in history.lifetime_trials if trial.ingredient not in current)
    yield from (TrialLine(trial=trial, earlier=True) for trial in earlier)


def _entries(decision: Decision, name: str) -> Iterator[DatedLine]:
    value = decision.facts.named[name].value
    if not isinstance(value, Presence):
        return
    for entry in sorted((*value.current, *value.past, *value.possible), key=_first):
        yield _dated(entry)


def _first(entry: Evidence) -> tuple[date, str]:
    return (entry.day.first if entry.day else date.min, entry.reference)


def _dated(entry: Evidence) -> DatedLine:
    day = str(entry.day) if entry.day else ""
    return DatedLine(day=day, label=entry.label, note=entry.note, reference=entry.reference)


def _scores(decision: Decision) -> Iterator[ScoreLine]:
    """Every assessment, newest first."""
    history = decision.facts.scores
    for assessment in reversed(history.assessments):
        yield ScoreLine(
            day=str(assessment.day) if assessment.day else "",
            scale=history.instruments[assessment.instrument].short,
            total=assessment.total,
            severity=assessment.severity,
            suicide_item_positive=assessment.suicide_item_positive,
            references=tuple(dict.fromkeys((assessment.reference, *assessment.recorded_as))),
        )


def _courses(decision: Decision) -> Iterator[DatedLine]:
    """Every course, and the sessions on the record that are not part of a course."""
    history = decision.facts.treatments
    in_courses = {session.reference for course in history.courses for session in course.sessions}
    for course in history.courses:
        yield _dated(history.evidence(course, "" if course.outcome.kind else course.outcome.why))
    for session in history.sessions:
        if session.reference not in in_courses:
            day = str(session.span) if session.span else ""
            note = session.other_use or session.strength.value
            yield DatedLine(day=day, label=session.label, note=note, reference=session.reference)


def _looked_for(decision: Decision, treatment: str) -> list[WeighedFinding]:
    answers = (answer for answer in decision.recommendation.treatments if answer.treatment == treatment)
    return [weighed for answer in answers for weighed in answer.weighed if weighed.role in AGAINST]


def _standing(decision: Decision, treatment: str, knowledge: Knowledge) -> str:
    answers = (answer for answer in decision.recommendation.treatments if answer.treatment == treatment)
    return next((headline_of(answer, knowledge, ordering=False).text for answer in answers), "")


def _safety(decision: Decision, treatment: str, knowledge: Knowledge) -> Iterator[SafetyLine]:
    """The contraindications and cautions of the protocol; those that are present or unknown come first."""
    looked_for = _looked_for(decision, treatment)
    for weighed in sorted(looked_for, key=lambda weighed: weighed.finding.verdict is Verdict.NOT_MET):
        yield SafetyLine(
            title=knowledge.criteria[weighed.finding.criterion].title,
            bars=weighed.role in FORBIDDING,
            verdict=weighed.finding.verdict,
            because=weighed.finding.because,
            evidence=weighed.finding.evidence,
            looked_in=weighed.finding.looked_in,
        )


def _sources(lists: Sequence[Checklist], knowledge: Knowledge) -> Iterator[SourceLine]:
    for key in dict.fromkeys(key for payer_list in lists for key in payer_list.sources):
        source = knowledge.sources[key]
        yield SourceLine(citation=source.citation, read=source.read)
