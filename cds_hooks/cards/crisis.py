"""One card in a crisis: safety first, and a second card only where it says something else. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from cds_hooks.cards.builder import CardContext
from cds_hooks.cards.criteria import beside_safety
from cds_hooks.protocol.responses import Card
from fhir_plugin.deciding.standing import CLEARED

MOST_SUGGESTIONS = 3


def with_safety(context: CardContext, safety: tuple[Card, ...], cards: tuple[Card, ...]) -> tuple[Card, ...]:
    """The safety cards before the others; the first takes in a card that only adds that nothing else is against it."""
    if not safety or not cards or not _adds_nothing(context):
        return (*safety, *cards)
    first, *others = safety
    told, *rest = cards
    context.bases.pop(told.uuid or "", None)
    first = replace(
        first,
        detail="\n\n".join(beside_safety(context, (first.detail, f"{told.summary}."))),
        suggestions=(*first.suggestions, *told.suggestions),
        selection_behavior=told.selection_behavior or first.selection_behavior,
    )
    return (first, *others, *rest)


def _adds_nothing(context: CardContext) -> bool:
    """Whether the criteria are met, with nothing against them, and no order is far out."""
    gross = any(check.gross for order in context.checked for check in order.checks)
    return context.detail == "brief" and context.decision.recommendation.verdict in CLEARED and not gross


def with_few_suggestions(context: CardContext, cards: tuple[Card, ...]) -> tuple[Card, ...]:
    """The cards with at most three suggestions each, the first ones, which fit best; all of them on a full card."""
    if context.detail == "full":
        return cards
    return tuple(
        replace(card, suggestions=card.suggestions[:MOST_SUGGESTIONS])
        if len(card.suggestions) > MOST_SUGGESTIONS
        else card
        for card in cards
    )
