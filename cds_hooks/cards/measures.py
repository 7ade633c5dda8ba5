"""Scores of completed questionnaires that are not on the record yet, as suggestions of a card."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Raw
from msgspec.structs import replace

from cds_hooks.cards.builder import MAX_SUMMARY_LENGTH, CardBasis, CardContext, make_card, pieces
from cds_hooks.cards.offering import ANY
from cds_hooks.protocol.markdown import plain
from cds_hooks.protocol.responses import Action, Card, Suggestion
from fhir_plugin.errors import WrongQuestionnaire
from fhir_plugin.facts.fact import Evidence, Presence
from fhir_plugin.record.resources import QuestionnaireResponse
from fhir_plugin.scales.extraction import write_observation
from fhir_plugin.scales.scoring import score_all


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


def _score_card(context: CardContext) -> Card:
    words = context.words.scores
    return make_card(
        context,
        CardBasis("scores", ()),
        summary=words.summary.format(count=len(_unrecorded(context))),
        indicator=words.indicator,
        parts=[words.lead, _listed(context), context.words.disclaimer],
        sources=(),
    )


def _listed(context: CardContext) -> str:
    """The questionnaires: on a full card with their entries on the record, else in the suggestions alone."""
    return ", ".join(pieces(context, _unrecorded(context))) if context.detail == "full" else ""


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
    unrecorded = _unrecorded(context)[: words.most]
    read = record.all("questionnaireResponses", QuestionnaireResponse) if unrecorded else ()
    responses = {response.reference: response for response in read}
    for evidence in unrecorded:
        resource = _observation(context, responses[evidence.reference], evidence.name)
        if resource is None:
            continue
        label = " ".join(str(part) for part in (evidence.label, evidence.day) if part)
        yield Suggestion(
            uuid=context.new_id(),
            label=plain(words.label.format(score=label), MAX_SUMMARY_LENGTH),
            actions=(Action(type="create", description=words.description, resource=resource),),
        )


def _observation(context: CardContext, response: QuestionnaireResponse, short: str) -> Raw | None:
    """The Observation to create; ``None`` if the response was scored but gives no valid Observation.

    ``short`` names the instrument, because a response may hold several.
    """
    patient, instruments = context.decision.record.patient, context.knowledge.instruments
    scores = score_all(response, instruments, sex=patient.gender if patient else None)
    scored = next(scored for scored in scores if instruments[scored.instrument].short == short)
    try:
        return Raw(write_observation(response, scored, instruments))
    except WrongQuestionnaire:
        return None
