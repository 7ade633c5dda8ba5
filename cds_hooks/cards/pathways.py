"""The pathways that a card names, and the questions that decide between them. Pure."""

from __future__ import annotations

from typing import NamedTuple

from cds_hooks.cards.builder import CardContext
from fhir_plugin.deciding.recommend import Recommendation
from fhir_plugin.deciding.standing import CLEARED
from fhir_plugin.facts.treatments.courses import TreatmentCourse
from mappings.schema.rules.protocols import Factor, Pathway


class PathwayLine(NamedTuple):
    """One pathway as a line of the card."""

    id: str
    text: str


def pathway_lines(context: CardContext) -> list[PathwayLine]:
    """The next pathway by every protocol: only if it fits, and if nothing known or unknown argues against it.

    The site's own protocol takes precedence: no other protocol proposes a treatment that it holds back.
    """
    chosen = context.decision.recommendation
    cleared = {answer.treatment for answer in chosen.treatments if answer.may_be_offered}
    lines: dict[str, PathwayLine] = {}
    for recommendation in (chosen, *context.decision.beside):
        fitting = recommendation.pathway
        if fitting is None or fitting.standing not in CLEARED or fitting.pathway.says in lines:
            continue
        if cleared.issuperset(step.treatment for step in fitting.pathway.steps):
            lines[fitting.pathway.says] = PathwayLine(fitting.id, _sentence(context, recommendation))
    return list(lines.values())


def brief_pathway(context: CardContext) -> str:
    """The pathway of the site's own protocol in one sentence, if it fits and nothing withholds its treatments."""
    own = [line.id for line in pathway_lines(context)]
    fitting = context.decision.recommendation.pathway
    if fitting is None or fitting.id not in own:
        return ""
    words, pathway = context.words.brief, fitting.pathway
    sentence = words.pathway.format(pathway=pathway.title, says=pathway.says)
    return f"{sentence} {words.choice.format(grade=pathway.grade.value)}" if pathway.choice == "clinician" else sentence


def pathway_headline(context: CardContext) -> str:
    """The first line for an opened chart where a pathway fits that rests on a course; empty otherwise.

    ``Partial response to esketamine (PHQ-9 22 to 14 after 16 sessions): consider adding TMS``.
    """
    fitting = context.decision.recommendation.pathway
    if context.decision.recommendation.ordered or fitting is None or not fitting.pathway.headline:
        return ""
    course = _course_of(context, fitting.pathway) if brief_pathway(context) else None
    if course is None or course.outcome.baseline is None or course.outcome.end is None:
        return ""
    change = context.words.brief.change.format(
        scale=context.knowledge.instruments[course.outcome.baseline.instrument].short,
        start=f"{course.outcome.baseline.total:g}",
        end=f"{course.outcome.end.total:g}",
        count=course.count,
    )
    name = context.knowledge.cards.treatments.get(course.treatment, "")
    treatment = name if name.isupper() else name.lower()
    return fitting.pathway.headline.format(treatment=treatment, change=change)


def _course_of(context: CardContext, pathway: Pathway) -> TreatmentCourse | None:
    """The course on whose response the pathway rests: the one that a criterion of it names as evidence."""
    findings = (context.decision.finding(name) for name in pathway.all_of)
    named = {entry.reference for finding in findings if finding for entry in finding.evidence}
    courses = (course for course in context.decision.facts.treatments.courses if course.outcome.kind)
    return next((course for course in reversed(list(courses)) if course.sessions[-1].reference in named), None)


def _sentence(context: CardContext, recommendation: Recommendation) -> str:
    words, fitting = context.words, recommendation.pathway
    if fitting is None:
        return ""
    protocol, pathway = context.knowledge.protocols[recommendation.protocol], fitting.pathway
    parts = [words.pathway.format(protocol=protocol.title, pathway=pathway.title, says=pathway.says)]
    if pathway.choice == "clinician":
        parts.append(words.choice.format(grade=pathway.grade.value))
    if recommendation.undecided:
        titles = ", ".join(other.pathway.title for other in recommendation.undecided)
        parts.append(words.undecided.format(pathways=titles))
    return " ".join(parts)


def factors(context: CardContext) -> str:
    """One line per question that decides the sequence of the treatments; only if their combination is considered."""
    ordered = context.decision.recommendation.ordered
    if len(ordered) == 1 or not context.protocol.factors:
        return ""
    lines = [_factor(context, factor) for factor in context.protocol.factors.values()]
    return "\n".join((context.words.factors.lead, "", *lines))


def _factor(context: CardContext, factor: Factor) -> str:
    words = context.words.factors
    findings = [finding for name in factor.criteria if (finding := context.decision.finding(name))]
    record = ", ".join(
        words.answer.format(title=context.title(finding.criterion), verdict=words.verdicts[finding.verdict.value])
        for finding in findings
    )
    answer = " ".join(part for part in (f"{record}." if record else "", factor.beyond_the_record) if part)
    return words.line.format(question=factor.question, says=answer)
