"""The card with the criteria: one by default, honest and short, in the words of ``mappings/cards.yaml``. Pure."""

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


def criteria_card(telling: CardContext) -> Card:
    """The card with the criteria of what is ordered, or of the protocol's focus."""
    answer = _leading_answer(telling.decision.recommendation, telling.protocol)
    shown = sorted(filter(_is_shown, answer.weighed), key=_urgency)
    offers = offers_of(telling)
    card = make_card(
        telling,
        CardBasis(
            rule=f"criteria:{answer.treatment}",
            findings=tuple(weighed.finding for weighed in shown),
            against=any(_may_contraindicate(weighed) for weighed in shown),
        ),
        summary=_summary(telling, answer),
        indicator=telling.words.indicators[telling.hook][_key(answer.standing)],
        parts=_detail(telling, answer, shown, held_back(telling, offers)),
        sources=(source for weighed in shown for source in (*weighed.clause.sources, *weighed.finding.sources)),
    )
    return with_orders(telling, card, offers)


def _leading_answer(recommendation: Recommendation, protocol: Protocol) -> TreatmentAnswer:
    """The treatment that the card is about: of those ordered the one with the strongest standing."""
    about = recommendation.ordered or (protocol.focus,)
    answers = [answer for answer in recommendation.treatments if answer.treatment in about]
    return min(answers, key=lambda answer: list(Standing).index(answer.standing))


_EXPECTED = (Role.REQUIRED, Role.EXPECTED)
_DECIDES = (Role.REQUIRED, Role.CONTRAINDICATION)
_LOOKED_FOR = (Role.CONTRAINDICATION, Role.CAUTION)
_AGAINST = ((Role.CONTRAINDICATION, Verdict.MET), (Role.REQUIRED, Verdict.NOT_MET))


# The summary


def _summary(telling: CardContext, answer: TreatmentAnswer) -> str:
    required = [weighed for weighed in answer.weighed if weighed.role is Role.REQUIRED]
    met = [weighed for weighed in required if weighed.finding.verdict is Verdict.MET]
    return telling.words.summary[_key(answer.standing)].format(
        treatment=telling.treatment(answer.treatment),
        criteria=", ".join(telling.title(weighed.finding.criterion) for weighed in _deciding(answer)),
        met=len(met),
        required=len(required),
    )


def _deciding(answer: TreatmentAnswer) -> list[WeighedFinding]:
    """The findings that made the standing what it is."""
    decisive = {
        Standing.CONTRAINDICATED: {(Role.CONTRAINDICATION, Verdict.MET)},
        Standing.NOT_MET: {(Role.REQUIRED, Verdict.NOT_MET)},
        Standing.UNKNOWN: {(Role.REQUIRED, Verdict.UNKNOWN), (Role.CONTRAINDICATION, Verdict.UNKNOWN)},
        Standing.MET: set(),
    }[answer.standing]
    return [weighed for weighed in answer.weighed if (weighed.role, weighed.finding.verdict) in decisive]


# The detail


def _detail(telling: CardContext, answer: TreatmentAnswer, shown: list[WeighedFinding], held: str) -> list[str]:
    words, ways = telling.words, pathway_lines(telling)
    return [
        words.lead[_key(answer.standing)].format(treatment=telling.treatment(answer.treatment)),
        _others(telling, answer),
        *order_paragraphs(telling),
        table(words.table.header, [_row(telling, weighed) for weighed in shown]),
        _asks(telling),
        _trials(telling, shown),
        factors(telling),
        *(way.says for way in ways),
        held,
        *payer_lines(telling),
        _not_found(telling, answer),
        *conflicts(telling, _disputed(telling, shown), {way.id for way in ways}),
        _gaps(telling),
        _overdue(telling),
        _basis(telling),
        words.disclaimer,
    ]


def _is_shown(weighed: WeighedFinding) -> bool:
    """What is required or expected always has its row; the rest when there is something to say about it."""
    if weighed.role in _EXPECTED:
        return True
    if weighed.role is Role.CONTEXT:
        return weighed.finding.verdict is Verdict.MET
    return weighed.finding.verdict is not Verdict.NOT_MET


def _disputed(telling: CardContext, shown: list[WeighedFinding]) -> set[str]:
    """Criteria beside which a conflict is told here: not those that a safety card before this one has told."""
    told = {own.criterion for own in telling.words.safety}
    return {
        weighed.finding.criterion
        for weighed in shown
        if _is_open(weighed) and not (weighed.finding.verdict is Verdict.MET and weighed.finding.criterion in told)
    }


def _is_open(weighed: WeighedFinding) -> bool:
    """Whether there is something to decide about it: all but what is required or expected, and met."""
    return weighed.finding.verdict is not Verdict.MET or weighed.role not in _EXPECTED


def _may_contraindicate(weighed: WeighedFinding) -> bool:
    """Whether it is a contraindication that is there, or may be."""
    return weighed.role is Role.CONTRAINDICATION and weighed.finding.verdict is not Verdict.NOT_MET


def _urgency(weighed: WeighedFinding) -> int:
    """Unknowns first, because they are what a reader can settle; then what speaks against; then the rest."""
    if weighed.finding.verdict is Verdict.UNKNOWN:
        return 0 if weighed.role in _DECIDES else 2
    return 1 if (weighed.role, weighed.finding.verdict) in _AGAINST else 3


def _row(telling: CardContext, weighed: WeighedFinding) -> tuple[str, ...]:
    finding, words = weighed.finding, telling.words.table
    gaps = f" ({'; '.join(finding.missing)})" if finding.missing else ""
    return (
        telling.title(finding.criterion),
        finding.because if not gaps or finding.missing[0] in finding.because else finding.because + gaps,
        ", ".join(pieces(telling, finding.evidence)) or words.no_record,
        words.verdicts[weighed.role][finding.verdict.value],
    )


def _others(telling: CardContext, answer: TreatmentAnswer) -> str:
    """One sentence for each other treatment of the protocol that the reader may be thinking of."""
    about = {answer.treatment}
    focus = telling.protocol.focus
    others = [other for other in telling.decision.recommendation.treatments if other.treatment not in about]
    wanted = {focus, *telling.decision.recommendation.ordered}
    return " ".join(
        telling.words.also.format(
            treatment=telling.treatment(other.treatment), standing=telling.words.standing[_key(other.standing)]
        )
        for other in others
        if other.treatment in wanted
    )


def _not_found(telling: CardContext, answer: TreatmentAnswer) -> str:
    absent = [
        weighed.finding
        for weighed in answer.weighed
        if weighed.role in _LOOKED_FOR and weighed.finding.verdict is Verdict.NOT_MET
    ]
    if not absent:
        return ""
    places = dict.fromkeys(place for finding in absent for place in finding.looked_in)
    words = telling.words
    said = words.not_found.format(criteria=", ".join(telling.title(finding.criterion) for finding in absent))
    return f"{said} {words.looked_in.format(places=', '.join(places))}" if places else said


def _trials(telling: CardContext, shown: list[WeighedFinding]) -> str:
    """One line for each antidepressant, where a criterion that rests on them is shown."""
    criteria = telling.knowledge.criteria
    facts = (fact for weighed in shown for fact in criteria[weighed.finding.criterion].facts)
    lines = [f"* {trial.line}" for trial in telling.decision.facts.trials.trials]
    if not lines or not any(fact.startswith(TRIALS) for fact in facts):
        return ""
    return "\n".join((telling.words.trials, "", *lines))


def _asks(telling: CardContext) -> str:
    asks = telling.decision.recommendation.asks
    return telling.words.asks.format(asks=" ".join(ask.words for ask in asks)) if asks else ""


def _gaps(telling: CardContext) -> str:
    """What could not be read, and what was left out because it is about somebody else."""
    words, record = telling.words, telling.decision.record
    gaps = record.gaps(telling.knowledge.deciding_inputs)
    said = [words.gaps.format(gaps="; ".join(gaps))] if gaps else []
    if record.dropped:
        said.append(words.dropped.format(count=record.dropped))
    if telling.foreign_drafts:
        said.append(words.foreign_drafts.format(count=telling.foreign_drafts))
    if unnamed := len(telling.ordered.unnamed):
        said.append(telling.knowledge.order_checks.words.unnamed_beside.format(count=unnamed))
    return " ".join(said)


def _overdue(telling: CardContext) -> str:
    known = telling.knowledge
    due = min(telling.protocol.review_due, known.criteria_due, known.orders.review_due, known.order_checks.review_due)
    return telling.words.review_overdue.format(day=due) if due <= telling.as_of else ""


def _basis(telling: CardContext) -> str:
    return telling.words.basis.format(
        protocol=telling.protocol.title,
        grade=telling.protocol.weakest_grade.value,
        day=telling.as_of,
        digest=telling.knowledge.digest[:12],
    )


def _key(standing: Standing) -> StandingKey:
    return standing.value
