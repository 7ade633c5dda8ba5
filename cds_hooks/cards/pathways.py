"""The ways to go on that a card names, and the questions that their order depends on. Pure."""

from __future__ import annotations

from typing import NamedTuple

from cds_hooks.cards.builder import CardContext
from fhir_plugin.deciding.recommend import Recommendation, Standing
from mappings.schema.rules.protocols import Factor


class PathwayLine(NamedTuple):
    """One way to go on, as the card says it."""

    id: str
    says: str


def pathway_lines(telling: CardContext) -> list[PathwayLine]:
    """What each protocol would do next: only a way that fits, and that nothing unknown or known stands against.

    The site's own protocol has the last word: what it holds back, no other protocol proposes beside it.
    """
    chosen = telling.decision.recommendation
    free = {answer.treatment for answer in chosen.treatments if answer.standing is Standing.MET}
    said: dict[str, PathwayLine] = {}
    for made in (chosen, *telling.decision.beside):
        fitting = made.pathway
        if fitting is None or fitting.standing is not Standing.MET or fitting.pathway.says in said:
            continue
        if free.issuperset(step.treatment for step in fitting.pathway.steps):
            said[fitting.pathway.says] = PathwayLine(fitting.id, _sentence(telling, made))
    return list(said.values())


def _sentence(telling: CardContext, made: Recommendation) -> str:
    words, fitting = telling.words, made.pathway
    if fitting is None:
        return ""
    protocol, pathway = telling.knowledge.protocols[made.protocol], fitting.pathway
    parts = [words.pathway.format(protocol=protocol.title, pathway=pathway.title, says=pathway.says)]
    if pathway.choice == "clinician":
        parts.append(words.choice.format(grade=pathway.grade.value))
    if made.undecided:
        titles = ", ".join(other.pathway.title for other in made.undecided)
        parts.append(words.undecided.format(pathways=titles))
    return " ".join(parts)


def factors(telling: CardContext) -> str:
    """One line for each question that the order of the treatments depends on; only where combining them is asked."""
    asked = telling.decision.recommendation.ordered
    if len(asked) == 1 or not telling.protocol.factors:
        return ""
    lines = [_factor(telling, factor) for factor in telling.protocol.factors.values()]
    return "\n".join((telling.words.factors.lead, "", *lines))


def _factor(telling: CardContext, factor: Factor) -> str:
    words = telling.words.factors
    findings = [finding for name in factor.criteria if (finding := telling.decision.finding(name))]
    record = ", ".join(
        words.answer.format(title=telling.title(each.criterion), verdict=words.verdicts[each.verdict.value])
        for each in findings
    )
    says = " ".join(part for part in (f"{record}." if record else "", factor.beyond_the_record) if part)
    return words.line.format(question=factor.question, says=says)
