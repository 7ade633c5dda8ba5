"""The card with the criteria of a treatment, in the wording of ``mappings/cards.yaml``. Pure."""

from __future__ import annotations

from cds_hooks.cards.builder import CardBasis, CardContext, conflicts, make_card, pieces
from cds_hooks.cards.offering import held_back, offers_of, with_orders
from cds_hooks.cards.pathways import factors, pathway_lines
from cds_hooks.cards.payer_lines import payer_lines
from cds_hooks.cards.this_order import order_paragraphs
from cds_hooks.protocol.markdown import table
from cds_hooks.protocol.responses import Card
from fhir_plugin.deciding.assess import Verdict
from fhir_plugin.deciding.recommend import Recommendation, Standing, TreatmentAnswer, WeighedFinding
from fhir_plugin.facts.trials.read import TRIALS
from mappings.schema.rules.protocols import Protocol, Role
from mappings.schema.texts.cards import StandingKey


def criteria_card(context: CardContext) -> Card:
    """The card with the criteria of what is ordered, or of the protocol's focus."""
    answer = _leading_answer(context.decision.recommendation, context.protocol)
    shown = sorted(filter(_is_shown, answer.weighed), key=_urgency)
    offers = offers_of(context)
    card = make_card(
        context,
        CardBasis(
            rule=f"criteria:{answer.treatment}",
            findings=tuple(weighed.finding for weighed in shown),
            against=any(_may_contraindicate(weighed) for weighed in shown),
        ),
        summary=_summary(context, answer),
        indicator=context.words.indicators[context.hook][_key(answer.standing)],
        parts=_detail(context, answer, shown, held_back(context, offers)),
        sources=(source for weighed in shown for source in (*weighed.clause.sources, *weighed.finding.sources)),
    )
    return with_orders(context, card, offers)


def _leading_answer(recommendation: Recommendation, protocol: Protocol) -> TreatmentAnswer:
    """The treatment that the card is about: the ordered one with the strongest standing."""
    candidates = recommendation.ordered or (protocol.focus,)
    answers = [answer for answer in recommendation.treatments if answer.treatment in candidates]
    return min(answers, key=lambda answer: list(Standing).index(answer.standing))


_EXPECTED = (Role.REQUIRED, Role.EXPECTED)
_DECIDES = (Role.REQUIRED, Role.CONTRAINDICATION)
_LOOKED_FOR = (Role.CONTRAINDICATION, Role.CAUTION)
_AGAINST = ((Role.CONTRAINDICATION, Verdict.MET), (Role.REQUIRED, Verdict.NOT_MET))


# The summary


def _summary(context: CardContext, answer: TreatmentAnswer) -> str:
    required = [weighed for weighed in answer.weighed if weighed.role is Role.REQUIRED]
    met = [weighed for weighed in required if weighed.finding.verdict is Verdict.MET]
    return context.words.summary[_key(answer.standing)].format(
        treatment=context.treatment(answer.treatment),
        criteria=", ".join(context.title(weighed.finding.criterion) for weighed in _deciding(answer)),
        met=len(met),
        required=len(required),
    )


def _deciding(answer: TreatmentAnswer) -> list[WeighedFinding]:
    """The findings that determine the standing."""
    decisive = {
        Standing.CONTRAINDICATED: {(Role.CONTRAINDICATION, Verdict.MET)},
        Standing.NOT_MET: {(Role.REQUIRED, Verdict.NOT_MET)},
        Standing.UNKNOWN: {(Role.REQUIRED, Verdict.UNKNOWN), (Role.CONTRAINDICATION, Verdict.UNKNOWN)},
        Standing.MET: set(),
    }[answer.standing]
    return [weighed for weighed in answer.weighed if (weighed.role, weighed.finding.verdict) in decisive]


# The detail


def _detail(context: CardContext, answer: TreatmentAnswer, shown: list[WeighedFinding], held: str) -> list[str]:
    words, pathways = context.words, pathway_lines(context)
    return [
        words.lead[_key(answer.standing)].format(treatment=context.treatment(answer.treatment)),
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
        _overdue(context),
        _basis(context),
        words.disclaimer,
    ]


def _is_shown(weighed: WeighedFinding) -> bool:
    """Whether the finding has a row: always if required or expected, otherwise only if it matters."""
    if weighed.role in _EXPECTED:
        return True
    if weighed.role is Role.CONTEXT:
        return weighed.finding.verdict is Verdict.MET
    return weighed.finding.verdict is not Verdict.NOT_MET


def _disputed(context: CardContext, shown: list[WeighedFinding]) -> set[str]:
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


def _may_contraindicate(weighed: WeighedFinding) -> bool:
    """Whether it is a contraindication that is present or possible."""
    return weighed.role is Role.CONTRAINDICATION and weighed.finding.verdict is not Verdict.NOT_MET


def _urgency(weighed: WeighedFinding) -> int:
    """Sort key: unknowns first, because a reader can settle them; then what excludes the treatment; then the rest."""
    if weighed.finding.verdict is Verdict.UNKNOWN:
        return 0 if weighed.role in _DECIDES else 2
    return 1 if (weighed.role, weighed.finding.verdict) in _AGAINST else 3


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
            treatment=context.treatment(other.treatment), standing=context.words.standing[_key(other.standing)]
        )
        for other in others
        if other.treatment in wanted
    )


def _not_found(context: CardContext, answer: TreatmentAnswer) -> str:
    absent = [
        weighed.finding
        for weighed in answer.weighed
        if weighed.role in _LOOKED_FOR and weighed.finding.verdict is Verdict.NOT_MET
    ]
    if not absent:
        return ""
    places = dict.fromkeys(place for finding in absent for place in finding.looked_in)
    words = context.words
    sentence = words.not_found.format(criteria=", ".join(context.title(finding.criterion) for finding in absent))
    return f"{sentence} {words.looked_in.format(places=', '.join(places))}" if places else sentence


def _trials(context: CardContext, shown: list[WeighedFinding]) -> str:
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
    if unnamed := len(context.ordered.unnamed):
        sentences.append(context.knowledge.order_checks.words.unnamed_beside.format(count=unnamed))
    return " ".join(sentences)


def _overdue(context: CardContext) -> str:
    knowledge = context.knowledge
    due = min(
        context.protocol.review_due,
        knowledge.criteria_due,
        knowledge.orders.review_due,
        knowledge.order_checks.review_due,
    )
    return context.words.review_overdue.format(day=due) if due <= context.as_of else ""


def _basis(context: CardContext) -> str:
    return context.words.basis.format(
        protocol=context.protocol.title,
        grade=context.protocol.weakest_grade.value,
        day=context.as_of,
        digest=context.knowledge.digest[:12],
    )


def _key(standing: Standing) -> StandingKey:
    return standing.value
