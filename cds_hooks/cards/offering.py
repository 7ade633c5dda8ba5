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


def offers_of(telling: CardContext) -> Offers:
    """The orders that can be offered at this hook."""
    templates = telling.templates or Templates(telling.knowledge, telling.protocol.id)
    return make_offers(Chart(telling.decision, telling.knowledge, templates, telling.ordered), telling.hook)


def held_back(telling: CardContext, offers: Offers) -> str:
    """What would fit and is not offered, and why; empty where nothing is held back."""
    if not offers.held:
        return ""
    return telling.knowledge.orders.words.held.lead.format(held=" ".join(offers.held))


def with_orders(telling: CardContext, card: Card, offers: Offers) -> Card:
    """The card with the offers as suggestions, in their order, none of them pre-selected."""
    if not offers.offers:
        return card
    suggestions = tuple(
        Suggestion(
            uuid=telling.new_id(),
            label=plain(offer.label, MAX_SUMMARY_LENGTH),
            actions=tuple(_action(each) for each in offer.actions),
        )
        for offer in offers.offers
    )
    return replace(card, suggestions=suggestions, selection_behavior=AT_MOST_ONE if offers.exclusive else ANY)


def _action(proposed: ProposedAction) -> Action:
    if proposed.takes_back:
        return Action(type="delete", description=proposed.description, resource_id=proposed.takes_back)
    return Action(type="create", description=proposed.description, resource=proposed.resource)
