"""The lines of a card about payers' checklists: which policy may apply, and what of it is open. Pure.

They stand on a card that is there for other reasons, change nothing else on it, and never say what is paid for.
"""

from __future__ import annotations

from collections.abc import Iterable

from cds_hooks.cards.builder import CardContext
from fhir_plugin.deciding.assess import Verdict
from fhir_plugin.deciding.recommend import Standing
from fhir_plugin.facts.coverage import read_coverages
from fhir_plugin.payers.checklist import Checklist, ItemAnswer, checklist, policies_for


def payer_lines(telling: CardContext) -> list[str]:
    """A line for each policy that may apply to what is ordered, or to the pathway that is named."""
    treatments = _treatments(telling)
    covers = read_coverages(telling.decision.record, telling.as_of).covers if treatments else ()
    if not covers:
        return []
    words, knowledge = telling.words.payer, telling.knowledge
    policies = [each for treatment in treatments for each in policies_for(covers, treatment, knowledge)]
    findings = {finding.criterion: finding for finding in telling.decision.findings}
    facts = telling.decision.facts
    lines = [_line(telling, checklist(each, facts, findings, knowledge)) for each in policies[: words.most]]
    more = len(policies) - words.most
    return [*lines, words.more.format(count=more)] if more > 0 else lines


def _treatments(telling: CardContext) -> tuple[str, ...]:
    """What is ordered, else the steps of the pathway that is named; nothing that is contraindicated."""
    recommendation = telling.decision.recommendation
    pathway = recommendation.pathway
    named = pathway.pathway.steps if pathway and pathway.standing is Standing.MET else ()
    meant = recommendation.ordered or tuple(step.treatment for step in named)
    stands_for = telling.words.payer.stands_for
    each_by_itself = dict.fromkeys(part for each in meant for part in stands_for.get(each, (each,)))
    barred = {each.treatment for each in recommendation.treatments if each.standing is Standing.CONTRAINDICATED}
    return tuple(each for each in each_by_itself if each not in barred)


def _line(telling: CardContext, made: Checklist) -> str:
    words = telling.words.payer
    against, unknown = made.of(Verdict.NOT_MET), made.of(Verdict.UNKNOWN)
    which = [words.not_met.format(items=_named(telling, against))] if against else []
    which += [words.unknown.format(items=_named(telling, unknown))] if unknown else []
    return words.line.format(
        policy=made.title,
        dated=made.dated,
        reviewed=made.reviewed,
        overdue=f"{made.overdue} " if made.overdue else "",
        met=len(made.of(Verdict.MET)),
        not_met=len(against),
        unknown=len(unknown),
        which=" ".join(which),
    )


def _named(telling: CardContext, items: Iterable[ItemAnswer]) -> str:
    titles = [item.title for item in items]
    most, words = telling.words.payer.named, telling.words.payer
    more = len(titles) - most
    return ", ".join([*titles[:most], *([words.more_items.format(count=more)] if more > 0 else [])])
