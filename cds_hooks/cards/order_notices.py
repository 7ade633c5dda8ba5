"""Cards about draft orders to which the criteria cannot be applied, so that no drug is passed over silently. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cds_hooks.cards.builder import MAX_SUMMARY_LENGTH, CardBasis, CardContext, make_card
from cds_hooks.cards.criteria import without_safety
from cds_hooks.protocol.markdown import plain, quote
from cds_hooks.protocol.responses import Card, CardSource, CdsCoding
from fhir_plugin.deciding.against import HARM, against_of, kind_of
from fhir_plugin.deciding.headline import reason_phrase
from fhir_plugin.deciding.standing import reasons
from fhir_plugin.drafts.ordered import OrderedTreatments, RecognisedDraft
from fhir_plugin.order_checks.around import is_said
from mappings.schema.load import Knowledge
from mappings.schema.order_checks.words import Notice


def notices(ordered: OrderedTreatments, knowledge: Knowledge, new_id: Callable[[], str]) -> tuple[Card, ...]:
    """The card about drafts for another patient, for an unidentified drug, or that are no orders, if there are any."""
    words = knowledge.order_checks.words
    if ordered.foreign:
        notice = words.foreign_beside if ordered.recognised or ordered.withdrawn else words.foreign_only
        return (_notice(notice, len(ordered.foreign), knowledge, new_id),)
    if ordered.unnamed:
        return (_notice(words.unnamed, len(ordered.unnamed), knowledge, new_id),)
    if ordered.unreadable:
        return (_notice(words.unreadable, ordered.unreadable, knowledge, new_id),)
    return ()


def other_form_card(context: CardContext) -> tuple[Card, ...]:
    """One card for ketamine by a route that the criteria do not cover, with what is known against ketamine."""
    others = context.ordered.other_forms
    if not others:
        return ()
    words, named = context.knowledge.order_checks.words.other_form, others[0].other_form or ""
    answers = context.decision.recommendation.treatments
    answer = next(answer for answer in answers if answer.treatment == named)
    weighed_findings = without_safety(context, answer).weighed
    harm = [weighed for weighed in reasons(weighed_findings) if kind_of(weighed) is HARM]
    told = against_of(weighed_findings, context.knowledge).of(HARM)
    against = [reason_phrase(weighed, context.knowledge) for weighed in told]
    said = _said(context, others)
    treatment = context.treatment(named)
    card = make_card(
        context,
        CardBasis(f"other_form:{named}", tuple(weighed.finding for weighed in harm), against=bool(harm)),
        summary=words.summary.format(treatment=treatment),
        indicator=words.indicator_against if against or said else words.indicator,
        parts=[
            words.lead.format(treatment=treatment),
            ", ".join(quote(other.draft.reference) for other in others) if context.detail == "full" else "",
            *said,
            words.against.format(criteria="; ".join(against)) if against else "",
            context.words.disclaimer,
        ],
        sources=words.sources,
    )
    return (card,)


def _said(context: CardContext, others: tuple[RecognisedDraft, ...]) -> list[str]:
    """What the orders say that must not be, such as a use at home."""
    checks, lines = context.knowledge.order_checks, context.knowledge.order_checks.words.lines
    found = (
        lines.says.format(title=check.title, why=check.says)
        for check in checks.checks
        if check.kind == "words"
        for other in others
        if other.other_form in check.treatments and is_said(check, other.draft)
    )
    return list(dict.fromkeys(found))


def _notice(words: Notice, count: int, knowledge: Knowledge, new_id: Callable[[], str]) -> Card:
    values: dict[str, Any] = {"count": count}
    protocol = knowledge.protocols[knowledge.protocol]
    parts = (words.lead.format(**values), knowledge.cards.disclaimer)
    return Card(
        uuid=new_id(),
        summary=plain(words.summary.format(**values), MAX_SUMMARY_LENGTH),
        detail="\n\n".join(part for part in parts if part),
        indicator=words.indicator,
        source=CardSource(
            label=knowledge.cards.source.format(protocol=protocol.title),
            topic=CdsCoding(system=knowledge.cards.system, code=protocol.id, display=protocol.title),
        ),
    )
