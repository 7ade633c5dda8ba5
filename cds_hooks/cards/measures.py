"""Cards about measures: scores that are not on the record yet, and measures due before a treatment session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Raw
from msgspec.structs import replace

from cds_hooks.cards.builder import MAX_SUMMARY_LENGTH, CardBasis, CardContext, conflicts, make_card, pieces
from cds_hooks.cards.offering import ANY, AT_MOST_ONE
from cds_hooks.protocol.markdown import plain, table
from cds_hooks.protocol.responses import Action, Card, Suggestion
from fhir_plugin.deciding.assess import Finding, Verdict
from fhir_plugin.errors import WrongQuestionnaire
from fhir_plugin.facts.fact import Evidence, Presence
from fhir_plugin.orders.fhir import OrderContext, questionnaire
from fhir_plugin.record.resources import QuestionnaireResponse
from fhir_plugin.scales.extraction import build_observation
from fhir_plugin.scales.scoring import score
from mappings.schema.rules.protocols import Role


def with_scores(context: CardContext, cards: tuple[Card, ...]) -> tuple[Card, ...]:
    """The cards, the last of which offers to record scores; a separate card if there is no other.

    A score excludes no order, and CDS Hooks has one selection behavior for all suggestions of a card: with scores, any
    may be selected, which avoids a second card.
    """
    suggestions = tuple(_score_suggestions(context))
    if not suggestions:
        return cards
    if cards:
        combined = (*cards[-1].suggestions, *suggestions)
        return (*cards[:-1], replace(cards[-1], suggestions=combined, selection_behavior=ANY))
    card = replace(_score_card(context), suggestions=suggestions, selection_behavior=ANY)
    return (card,)


def session_card(context: CardContext) -> tuple[Card, ...]:
    """The card with what is due before a session; none without a current course, or when nothing is due."""
    words = context.words.session
    findings = {name: finding for name in words.all_criteria if (finding := context.decision.finding(name))}
    under_way = any(findings[name].verdict is Verdict.MET for name in words.under_way)
    due = _not_ruled_out(findings, words.speaks_when)
    if not under_way or not due:
        return ()
    titles = ", ".join(context.title(finding.criterion) for finding in due)
    rows = [_row(context, finding) for finding in _not_ruled_out(findings, words.criteria)]
    card = make_card(
        context,
        CardBasis("session", tuple(_not_ruled_out(findings, findings))),
        summary=words.summary.format(criteria=titles),
        indicator=words.indicator,
        parts=[
            words.lead,
            table(context.words.table.header, rows),
            *conflicts(context, {finding.criterion for finding in due}),
            context.words.disclaimer,
        ],
        sources=[source for finding in due for source in finding.sources],
    )
    if findings[words.due].verdict is Verdict.NOT_MET:
        return (card,)
    return (replace(card, suggestions=(_measure_suggestion(context),), selection_behavior=AT_MOST_ONE),)


def _not_ruled_out(findings: Mapping[str, Finding], names: Iterable[str]) -> list[Finding]:
    return [findings[name] for name in names if findings[name].verdict is not Verdict.NOT_MET]


def _row(context: CardContext, finding: Finding) -> tuple[str, ...]:
    words = context.words.table
    return (
        context.title(finding.criterion),
        finding.because,
        ", ".join(pieces(context, finding.evidence)) or words.no_record,
        words.verdicts[Role.CAUTION][finding.verdict.value],
    )


def _measure_suggestion(context: CardContext) -> Suggestion:
    words, instruments = context.words.session, context.knowledge.instruments
    short = instruments[words.instrument].short
    order_context = OrderContext(patient_id=context.decision.record.patient_id, as_of=context.as_of)
    return Suggestion(
        uuid=context.new_id(),
        label=words.label.format(instrument=short),
        actions=(
            Action(
                type="create",
                description=words.description.format(instrument=short),
                resource=questionnaire(instruments[words.instrument]) | order_context.head(),
            ),
        ),
    )


def _score_card(context: CardContext) -> Card:
    words = context.words.scores
    return make_card(
        context,
        CardBasis("scores", ()),
        summary=words.summary.format(count=len(_unrecorded(context))),
        indicator=words.indicator,
        parts=[words.lead, ", ".join(pieces(context, _unrecorded(context))), context.words.disclaimer],
        sources=(),
    )


def _unrecorded(context: CardContext) -> tuple[Evidence, ...]:
    """Recent responses whose score is certainly not on the record, newest first; undated ones are not recent."""
    value, days = context.decision.facts.named["scores.unrecorded"].value, context.words.scores.recent_days
    if not isinstance(value, Presence):
        return ()
    return tuple(
        evidence
        for evidence in reversed(value.current)
        if evidence.day and evidence.day.days_before(context.as_of)[0] <= days
    )


def _score_suggestions(context: CardContext) -> Iterator[Suggestion]:
    record, words = context.decision.record, context.words.scores
    responses = {
        response.reference: response for response in record.all("questionnaireResponses", QuestionnaireResponse)
    }
    for evidence in _unrecorded(context)[: words.most]:
        resource = _observation(context, responses[evidence.reference])
        if resource is None:
            continue
        label = " ".join(str(part) for part in (evidence.label, evidence.day) if part)
        yield Suggestion(
            uuid=context.new_id(),
            label=plain(words.label.format(score=label), MAX_SUMMARY_LENGTH),
            actions=(Action(type="create", description=words.description, resource=resource),),
        )


def _observation(context: CardContext, response: QuestionnaireResponse) -> Raw | None:
    """The Observation to create; ``None`` if the response was scored but gives no valid Observation."""
    patient, instruments = context.decision.record.patient, context.knowledge.instruments
    scored = score(response, instruments, sex=patient.gender if patient else None)
    try:
        return Raw(build_observation(response, scored, instruments).model_dump_json().encode())
    except WrongQuestionnaire:
        return None
