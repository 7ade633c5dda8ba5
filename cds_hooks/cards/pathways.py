"""The pathways that a card names, and the questions that decide between them. Pure."""

from __future__ import annotations

from typing import NamedTuple

from cds_hooks.cards.builder import CardContext
from fhir_plugin.deciding.recommend import Recommendation
from fhir_plugin.deciding.standing import CLEARED
from mappings.schema.rules.protocols import Factor


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
