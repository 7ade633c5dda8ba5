"""Orders that fit, as suggestions of a card. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from cds_hooks.cards.builder import MAX_SUMMARY_LENGTH, CardContext
from cds_hooks.protocol.markdown import plain
from cds_hooks.protocol.responses import Action, Card, Suggestion
from fhir_plugin.orders.chart import Chart
from fhir_plugin.orders.offers import Offers, ProposedAction, make_offers
from fhir_plugin.orders.templates import Templates

AT_MOST_ONE, ANY = "at-most-one", "any"


def offers_of(context: CardContext) -> Offers:
    """The orders that can be offered at this hook."""
    templates = context.templates or Templates(context.knowledge, context.protocol.id)
    return make_offers(Chart(context.decision, context.knowledge, templates, context.ordered), context.hook)


def held_back(context: CardContext, offers: Offers) -> str:
    """What would fit but is not offered, and why; empty if nothing is held back."""
    if not offers.held:
        return ""
    return context.knowledge.orders.words.held.lead.format(held=" ".join(offers.held))


def with_orders(context: CardContext, card: Card, offers: Offers) -> Card:
    """The card with the offers as suggestions, in their order, none of them pre-selected."""
    if not offers.offers:
        return card
    suggestions = tuple(
        Suggestion(
            uuid=context.new_id(),
            label=plain(offer.label, MAX_SUMMARY_LENGTH),
            actions=tuple(_action(proposed) for proposed in offer.actions),
        )
        for offer in offers.offers
    )
    return replace(card, suggestions=suggestions, selection_behavior=AT_MOST_ONE if offers.exclusive else ANY)


def _action(proposed: ProposedAction) -> Action:
    if proposed.takes_back:
        return Action(type="delete", description=proposed.description, resource_id=proposed.takes_back)
    return Action(type="create", description=proposed.description, resource=proposed.resource)
