"""The lines of a card about payers' checklists: which policy may apply, and which of its items are open. Pure.

They appear on a card that is shown for other reasons, change nothing else on it, and never state what is covered.
"""

from __future__ import annotations

from collections.abc import Iterable

from cds_hooks.cards.builder import CardContext
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.deciding.standing import CLEARED, Standing
from fhir_plugin.facts.coverage import read_coverages
from fhir_plugin.payers.checklist import Checklist, ItemAnswer, checklist, policies_for


def payer_lines(context: CardContext) -> list[str]:
    """One line per policy that may apply to what is ordered, or to the pathway that is named."""
    treatments = _treatments(context)
    covers = read_coverages(context.decision.record, context.as_of).covers if treatments else ()
    if not covers:
        return []
    words, knowledge = context.words.payer, context.knowledge
    policies = [policy for treatment in treatments for policy in policies_for(covers, treatment, knowledge)]
    findings = {finding.criterion: finding for finding in context.decision.findings}
    facts = context.decision.facts
    lines = [_line(context, checklist(policy, facts, findings, knowledge)) for policy in policies[: words.most]]
    more = len(policies) - words.most
    return [*lines, words.more.format(count=more)] if more > 0 else lines


def _treatments(context: CardContext) -> tuple[str, ...]:
    """The ordered treatments, else those of the pathway that is named; without contraindicated ones."""
    recommendation = context.decision.recommendation
    pathway = recommendation.pathway
    steps = pathway.pathway.steps if pathway and pathway.standing in CLEARED else ()
    treatments = recommendation.ordered or tuple(step.treatment for step in steps)
    stands_for = context.words.payer.stands_for
    components = dict.fromkeys(part for treatment in treatments for part in stands_for.get(treatment, (treatment,)))
    contraindicated = {
        answer.treatment for answer in recommendation.treatments if answer.standing is Standing.CONTRAINDICATED
    }
    return tuple(treatment for treatment in components if treatment not in contraindicated)


def _line(context: CardContext, payer_list: Checklist) -> str:
    words = context.words.payer
    not_met, unknown = payer_list.of(Verdict.NOT_MET), payer_list.of(Verdict.UNKNOWN)
    details = [words.not_met.format(items=_named(context, not_met))] if not_met else []
    details += [words.unknown.format(items=_named(context, unknown))] if unknown else []
    return words.line.format(
        policy=payer_list.title,
        dated=payer_list.dated,
        reviewed=payer_list.reviewed,
        overdue=f"{payer_list.overdue} " if payer_list.overdue else "",
        met=len(payer_list.of(Verdict.MET)),
        not_met=len(not_met),
        unknown=len(unknown),
        which=" ".join(details),
    )


def _named(context: CardContext, items: Iterable[ItemAnswer]) -> str:
    titles = [item.title for item in items]
    most, words = context.words.payer.named, context.words.payer
    more = len(titles) - most
    return ", ".join([*titles[:most], *([words.more_items.format(count=more)] if more > 0 else [])])
