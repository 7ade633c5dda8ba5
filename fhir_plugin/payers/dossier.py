"""What a prior authorization asks for, assembled from the record: one plain object, for whoever shows it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import msgspec

from fhir_plugin.deciding.assess import Verdict
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.deciding.recommend import WeighedFinding
from fhir_plugin.facts.coverage import ActiveCoverages, read_coverages
from fhir_plugin.facts.fact import Evidence, Presence
from fhir_plugin.facts.trials.trial import Trial
from fhir_plugin.payers.checklist import Checklist, checklist, policies_for
from fhir_plugin.payers.dossier_record import DiagnosisLine, Person, diagnoses, person
from mappings.schema.load import Knowledge
from mappings.schema.payers.model import PayerPolicy, UnanswerableItem
from mappings.schema.rules.protocols import Role

_LOOKED_FOR = (Role.CONTRAINDICATION, Role.CAUTION)
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
    """Whether it speaks against the treatment when it is present; otherwise it asks for care."""
    verdict: Verdict
    because: str
    evidence: tuple[Evidence, ...]
    looked_in: tuple[str, ...]


class SourceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One source that the checklists rest on."""

    citation: str
    read: str


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """The whole dossier."""

    treatment: str
    as_of: date
    gaps: tuple[str, ...]
    """What has to be completed, in sentences of our own, first what the checklists leave open."""
    person: Person
    covers: tuple[CoverageLine, ...]
    checklists: tuple[Checklist, ...]
    diagnoses: tuple[DiagnosisLine, ...]
    episode: date
    trial_policy: str
    trials: tuple[TrialLine, ...]
    augmentations: tuple[DatedLine, ...]
    unnamed: tuple[DatedLine, ...]
    """Medications that nobody could tell from an antidepressant."""
    psychotherapy: tuple[DatedLine, ...]
    scores: tuple[ScoreLine, ...]
    courses: tuple[DatedLine, ...]
    safety: tuple[SafetyLine, ...]
    protocol: str
    sources: tuple[SourceLine, ...]
    knowledge: str


def build_dossier(
    decision: Decision, knowledge: Knowledge, treatment: str, chosen: PayerPolicy | None = None
) -> Dossier:
    """The dossier for one treatment, by the policies that may apply or by the one that was chosen."""
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
            CoverageLine(payer=each.payer, plan=each.plan, member=each.member, reference=each.reference)
            for each in covers.covers
        ),
        checklists=lists,
        diagnoses=tuple(diagnoses(decision)),
        episode=facts.trials.episode.start,
        trial_policy=medications.policies[facts.trials.policy].label,
        trials=tuple(_trials(decision)),
        augmentations=tuple(
            DatedLine(day=str(each.start), label=each.ingredient, note="", reference=", ".join(each.references))
            for each in facts.trials.augmentations
        ),
        unnamed=tuple(
            DatedLine(day="", label=each.label, note="", reference=each.reference) for each in facts.trials.unmapped
        ),
        psychotherapy=tuple(_entries(decision, _PSYCHOTHERAPY)),
        scores=tuple(_scores(decision)),
        courses=tuple(_courses(decision)),
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
    elif all(made.generic for made in lists):
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
    """What would settle each open item, and each contraindication that the record does not exclude."""
    said = knowledge.dossier.gaps["settle"]
    for item in (item for made in lists for item in made.of(Verdict.UNKNOWN)):
        yield said.format(item=item.title, settle=item.settle)
    yield from _commonly_asked(lists, treatment, knowledge)
    for each in _looked_for(decision, treatment):
        if each.finding.verdict is Verdict.UNKNOWN and each.role is Role.CONTRAINDICATION:
            criterion = knowledge.criteria[each.finding.criterion]
            yield said.format(item=criterion.title, settle=criterion.ask.words)


def _commonly_asked(lists: Sequence[Checklist], treatment: str, knowledge: Knowledge) -> Iterator[str]:
    """What payers commonly ask for beyond the record, where the policies that were read do not name it."""
    generic = knowledge.payers.generic(treatment)
    named = {item.id for made in lists for item in made.items}
    for item in generic.items if generic else ():
        if isinstance(item, UnanswerableItem) and item.id not in named:
            yield knowledge.dossier.gaps["commonly"].format(item=item.title, settle=item.settle)


def _trials(decision: Decision) -> Iterator[TrialLine]:
    """The trials of the episode, and those of other drugs before it."""
    history = decision.facts.trials
    now = {trial.ingredient for trial in history.trials}
    yield from (TrialLine(trial=trial, earlier=False) for trial in history.trials)
    earlier = (trial for trial in history.lifetime_trials if trial.ingredient not in now)
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
    """Every assessment, the newest first."""
    history = decision.facts.scores
    for each in reversed(history.assessments):
        yield ScoreLine(
            day=str(each.day) if each.day else "",
            scale=history.instruments[each.instrument].short,
            total=each.total,
            severity=each.severity,
            suicide_item_positive=each.suicide_item_positive,
            references=tuple(dict.fromkeys((each.reference, *each.recorded_as))),
        )


def _courses(decision: Decision) -> Iterator[DatedLine]:
    """Every course, and what is on the record of these treatments without being part of a course."""
    history = decision.facts.treatments
    told = {session.reference for course in history.courses for session in course.sessions}
    for course in history.courses:
        yield _dated(history.evidence(course, "" if course.outcome.kind else course.outcome.why))
    for session in history.sessions:
        if session.reference not in told:
            day = str(session.span) if session.span else ""
            note = session.other_use or session.strength.value
            yield DatedLine(day=day, label=session.label, note=note, reference=session.reference)


def _looked_for(decision: Decision, treatment: str) -> list[WeighedFinding]:
    answers = (each for each in decision.recommendation.treatments if each.treatment == treatment)
    return [each for answer in answers for each in answer.weighed if each.role in _LOOKED_FOR]


def _safety(decision: Decision, treatment: str, knowledge: Knowledge) -> Iterator[SafetyLine]:
    """What the protocol looks for before the treatment; what is present or unknown first."""
    weighed = _looked_for(decision, treatment)
    for each in sorted(weighed, key=lambda one: one.finding.verdict is Verdict.NOT_MET):
        yield SafetyLine(
            title=knowledge.criteria[each.finding.criterion].title,
            bars=each.role is Role.CONTRAINDICATION,
            verdict=each.finding.verdict,
            because=each.finding.because,
            evidence=each.finding.evidence,
            looked_in=each.finding.looked_in,
        )


def _sources(lists: Sequence[Checklist], knowledge: Knowledge) -> Iterator[SourceLine]:
    for key in dict.fromkeys(key for made in lists for key in made.sources):
        source = knowledge.sources[key]
        yield SourceLine(citation=source.citation, read=source.read)
