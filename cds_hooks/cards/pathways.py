"""The pathways that a card names, and the questions that decide between them. Pure."""

from __future__ import annotations

from typing import NamedTuple

from cds_hooks.cards.builder import CardContext
from fhir_plugin.deciding.recommend import PathwayAnswer, Recommendation
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
    lines: dict[str, PathwayLine] = {}
    for recommendation in (context.decision.recommendation, *context.decision.beside):
        fitting = _offered(context, recommendation)
        if fitting is not None and fitting.pathway.says not in lines:
            lines[fitting.pathway.says] = PathwayLine(fitting.id, _sentence(context, recommendation))
    return list(lines.values())


def _offered(context: CardContext, recommendation: Recommendation) -> PathwayAnswer | None:
    """The pathway that fits, if neither its own protocol nor the site's holds one of its treatments back."""
    fitting = recommendation.pathway
    if fitting is None or fitting.standing not in CLEARED:
        return None
    steps = {step.treatment for step in fitting.pathway.steps}
    answers = [answer for answer in context.decision.recommendation.treatments if answer.treatment in steps]
    return fitting if len(answers) == len(steps) and all(answer.may_be_offered for answer in answers) else None


def brief_pathway(context: CardContext) -> str:
    """The pathway of the site's own protocol in one sentence, if it fits and nothing withholds its treatments."""
    fitting = _offered(context, context.decision.recommendation)
    if fitting is None:
        return ""
    words, pathway = context.words.brief, fitting.pathway
    sentence = words.pathway.format(pathway=pathway.title, says=pathway.says)
    return f"{sentence} {words.choice.format(grade=pathway.grade.value)}" if pathway.choice == "clinician" else sentence


def pathway_headline(context: CardContext) -> str:
    """The first line for an opened chart where a pathway fits that rests on a course; empty otherwise.

    ``Partial response to esketamine (PHQ-9 22 to 14 after 16 sessions): consider adding TMS``.
    """
    if context.decision.recommendation.ordered:
        return ""
    fitting = _offered(context, context.decision.recommendation)
    if fitting is None or not fitting.pathway.headline:
        return ""
    course = _course_of(context, fitting.pathway)
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
