"""Cards about measures: scores that are not on the record yet, and what is due before a treatment session."""

from __future__ import annotations

from collections.abc import Iterator

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


def with_scores(telling: CardContext, cards: tuple[Card, ...]) -> tuple[Card, ...]:
    """The cards, the last of them offering to record scores; a card of their own where there is none to carry them.

    A score excludes no order, and CDS Hooks has one behaviour for all suggestions of a card: beside scores any may be
    taken, rather than a second card shown.
    """
    suggestions = tuple(_score_suggestions(telling))
    if not suggestions:
        return cards
    if cards:
        carrying = (*cards[-1].suggestions, *suggestions)
        return (*cards[:-1], replace(cards[-1], suggestions=carrying, selection_behavior=ANY))
    card = replace(_score_card(telling), suggestions=suggestions, selection_behavior=ANY)
    return (card,)


def session_card(telling: CardContext) -> tuple[Card, ...]:
    """What is due before a session; none while no course is under way, or when nothing is due."""
    words = telling.words.session
    said = {name: finding for name in words.all_criteria if (finding := telling.decision.finding(name))}
    under_way = any(said[name].verdict is Verdict.MET for name in words.under_way)
    telling_now = [said[name] for name in words.speaks_when if said[name].verdict is not Verdict.NOT_MET]
    if not under_way or not telling_now:
        return ()
    titles = ", ".join(telling.title(finding.criterion) for finding in telling_now)
    rows = [_row(telling, said[name]) for name in words.criteria if said[name].verdict is not Verdict.NOT_MET]
    card = make_card(
        telling,
        CardBasis("session", tuple(finding for finding in said.values() if finding.verdict is not Verdict.NOT_MET)),
        summary=words.summary.format(criteria=titles),
        indicator=words.indicator,
        parts=[
            words.lead,
            table(telling.words.table.header, rows),
            *conflicts(telling, {finding.criterion for finding in telling_now}),
            telling.words.disclaimer,
        ],
        sources=[source for finding in telling_now for source in finding.sources],
    )
    if said[words.due].verdict is Verdict.NOT_MET:
        return (card,)
    return (replace(card, suggestions=(_measure_suggestion(telling),), selection_behavior=AT_MOST_ONE),)


def _row(telling: CardContext, finding: Finding) -> tuple[str, ...]:
    words = telling.words.table
    return (
        telling.title(finding.criterion),
        finding.because,
        ", ".join(pieces(telling, finding.evidence)) or words.no_record,
        words.verdicts[Role.CAUTION][finding.verdict.value],
    )


def _measure_suggestion(telling: CardContext) -> Suggestion:
    words, instruments = telling.words.session, telling.knowledge.instruments
    short = instruments[words.instrument].short
    about = OrderContext(patient_id=telling.decision.record.patient_id, as_of=telling.as_of)
    return Suggestion(
        uuid=telling.new_id(),
        label=words.label.format(instrument=short),
        actions=(
            Action(
                type="create",
                description=words.description.format(instrument=short),
                resource=questionnaire(instruments[words.instrument]) | about.head(),
            ),
        ),
    )


def _score_card(telling: CardContext) -> Card:
    words = telling.words.scores
    return make_card(
        telling,
        CardBasis("scores", ()),
        summary=words.summary.format(count=len(_unrecorded(telling))),
        indicator=words.indicator,
        parts=[words.lead, ", ".join(pieces(telling, _unrecorded(telling))), telling.words.disclaimer],
        sources=(),
    )


def _unrecorded(telling: CardContext) -> tuple[Evidence, ...]:
    """Recent responses whose score is certainly not on the record, newest first; an undated one is not recent."""
    value, days = telling.decision.facts.named["scores.unrecorded"].value, telling.words.scores.recent_days
    if not isinstance(value, Presence):
        return ()
    return tuple(
        each for each in reversed(value.current) if each.day and each.day.days_before(telling.as_of)[0] <= days
    )


def _score_suggestions(telling: CardContext) -> Iterator[Suggestion]:
    record, words = telling.decision.record, telling.words.scores
    responses = {each.reference: each for each in record.all("questionnaireResponses", QuestionnaireResponse)}
    for evidence in _unrecorded(telling)[: words.most]:
        resource = _observation(telling, responses[evidence.reference])
        if resource is None:
            continue
        said = " ".join(str(part) for part in (evidence.label, evidence.day) if part)
        yield Suggestion(
            uuid=telling.new_id(),
            label=plain(words.label.format(score=said), MAX_SUMMARY_LENGTH),
            actions=(Action(type="create", description=words.description, resource=resource),),
        )


def _observation(telling: CardContext, response: QuestionnaireResponse) -> Raw | None:
    """The Observation to create; none where the response, though scored, makes no valid Observation."""
    patient, instruments = telling.decision.record.patient, telling.knowledge.instruments
    scored = score(response, instruments, sex=patient.gender if patient else None)
    try:
        return Raw(build_observation(response, scored, instruments).model_dump_json().encode())
    except WrongQuestionnaire:
        return None
