"""The whole reasoning as the detail of a card, for sites that want it there. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from cds_hooks.cards.builder import CardContext, conflicts, pieces
from cds_hooks.cards.pathways import factors, pathway_lines
from cds_hooks.cards.payer_lines import payer_lines
from cds_hooks.cards.this_order import not_judged, order_paragraphs
from cds_hooks.protocol.markdown import table
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.deciding.recommend import TreatmentAnswer
from fhir_plugin.deciding.standing import WeighedFinding
from fhir_plugin.facts.trials.read import TRIALS
from mappings.schema.rules.protocols import Role

_EXPECTED = (Role.REQUIRED, Role.EXPECTED)


def full_detail(context: CardContext, answer: TreatmentAnswer, shown: Sequence[WeighedFinding], held: str) -> list[str]:
    """The paragraphs of the whole reasoning, each point with its evidence on the record."""
    words, pathways = context.words, pathway_lines(context)
    return [
        _others(context, answer),
        *order_paragraphs(context),
        table(words.table.header, [_row(context, weighed) for weighed in shown]),
        _asks(context),
        _trials(context, shown),
        factors(context),
        *(pathway.text for pathway in pathways),
        held,
        *payer_lines(context),
        _not_found(context, answer),
        *conflicts(context, _disputed(context, shown), {pathway.id for pathway in pathways}),
        _gaps(context),
        context.overdue,
        _basis(context),
        words.disclaimer,
    ]


def _disputed(context: CardContext, shown: Sequence[WeighedFinding]) -> set[str]:
    """Criteria whose conflicts are shown here: without those that a preceding safety card already shows."""
    on_safety_cards = {own.criterion for own in context.words.safety}
    return {
        weighed.finding.criterion
        for weighed in shown
        if _is_open(weighed)
        and not (weighed.finding.verdict is Verdict.MET and weighed.finding.criterion in on_safety_cards)
    }


def _is_open(weighed: WeighedFinding) -> bool:
    """Whether it needs a decision: everything except what is required or expected, and met."""
    return weighed.finding.verdict is not Verdict.MET or weighed.role not in _EXPECTED


def _row(context: CardContext, weighed: WeighedFinding) -> tuple[str, ...]:
    finding, words = weighed.finding, context.words.table
    gaps = f" ({'; '.join(finding.missing)})" if finding.missing else ""
    return (
        context.title(finding.criterion),
        finding.because if not gaps or finding.missing[0] in finding.because else finding.because + gaps,
        ", ".join(pieces(context, finding.evidence)) or words.no_record,
        words.verdicts[weighed.role][finding.verdict.value],
    )


def _others(context: CardContext, answer: TreatmentAnswer) -> str:
    """One sentence for every other treatment that is ordered or is the focus of the protocol."""
    focus = context.protocol.focus
    others = [other for other in context.decision.recommendation.treatments if other.treatment != answer.treatment]
    wanted = {focus, *context.decision.recommendation.ordered}
    return " ".join(
        context.words.also.format(
            treatment=context.treatment(other.treatment), standing=context.words.standing[other.standing.value]
        )
        for other in others
        if other.treatment in wanted
    )


def _not_found(context: CardContext, answer: TreatmentAnswer) -> str:
    absent = [weighed.finding for weighed in answer.weighed if weighed.absent]
    if not absent:
        return ""
    places = dict.fromkeys(place for finding in absent for place in finding.looked_in)
    words = context.words
    sentence = words.not_found.format(criteria=", ".join(context.title(finding.criterion) for finding in absent))
    return f"{sentence} {words.looked_in.format(places=', '.join(places))}" if places else sentence


def _trials(context: CardContext, shown: Sequence[WeighedFinding]) -> str:
    """One line per antidepressant, if a criterion that is based on them is shown."""
    criteria = context.knowledge.criteria
    facts = (fact for weighed in shown for fact in criteria[weighed.finding.criterion].facts)
    lines = [f"* {trial.line}" for trial in context.decision.facts.trials.trials]
    if not lines or not any(fact.startswith(TRIALS) for fact in facts):
        return ""
    return "\n".join((context.words.trials, "", *lines))


def _asks(context: CardContext) -> str:
    asks = context.decision.recommendation.asks
    return context.words.asks.format(asks=" ".join(ask.words for ask in asks)) if asks else ""


def _gaps(context: CardContext) -> str:
    """What could not be read, and what was left out because it concerns another patient."""
    words, record = context.words, context.decision.record
    gaps = record.gaps(context.knowledge.deciding_inputs)
    sentences = [words.gaps.format(gaps="; ".join(gaps))] if gaps else []
    if record.dropped:
        sentences.append(words.dropped.format(count=record.dropped))
    if context.foreign_drafts:
        sentences.append(words.foreign_drafts.format(count=context.foreign_drafts))
    return " ".join((*sentences, *not_judged(context)))


def _basis(context: CardContext) -> str:
    return context.words.basis.format(
        protocol=context.protocol.title,
        grade=context.fixed.grades[context.protocol.id],
        day=context.as_of,
        digest=context.knowledge.short_digest,
    )
