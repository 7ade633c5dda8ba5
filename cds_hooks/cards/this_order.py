"""What the checks of the order being signed say on the card with the criteria, and what they suggest. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from msgspec.structs import replace

from cds_hooks.cards.builder import MAX_SUMMARY_LENGTH, CardBasis, CardContext
from cds_hooks.protocol.markdown import plain, quote
from cds_hooks.protocol.responses import Action, Card, Suggestion
from fhir_plugin.order_checks.result import CheckedOrder, CheckVerdict, Correction, OrderCheck
from mappings.schema.order_checks.words import OrderCheckWords, SuggestionWords

ANY = "any"


def order_paragraphs(telling: CardContext) -> list[str]:
    """A paragraph for each order: what deviates, what is as expected, what could not be judged."""
    return [_paragraph(telling, order) for order in telling.checked if order.checks]


def with_checks(telling: CardContext, card: Card) -> Card:
    """The card, warning of a value far out, offering to take orders back or to correct them; none pre-selected."""
    telling.bases[card.uuid] = _with_order_results(telling, telling.bases[card.uuid])
    card = _warning(telling, card)
    suggestions = tuple(each for order in telling.checked for each in _suggestions(telling, order))
    if not suggestions:
        return card
    behavior = card.selection_behavior or ANY
    return replace(card, suggestions=(*suggestions, *card.suggestions), selection_behavior=behavior)


def _with_order_results(telling: CardContext, basis: CardBasis) -> CardBasis:
    every = [(order.treatment, check) for order in telling.checked for check in order.checks]
    said = tuple((treatment, each.check, each.verdict, each.drafted, each.why) for treatment, each in every)
    return dataclasses.replace(basis, orders=said, far_out=any(each.gross for _, each in every))


def _warning(telling: CardContext, card: Card) -> Card:
    """A value far out leads the summary, unless something contraindicates the order altogether."""
    words = telling.knowledge.order_checks.words
    far = [(order.treatment, check.title) for order in telling.checked for check in order.checks if check.gross]
    if not far or telling.bases[card.uuid].against:
        return card
    titles = " and ".join(dict.fromkeys(title for _, title in far))
    summary = words.gross_summary.format(treatment=telling.treatment(far[0][0]), titles=titles, summary=card.summary)
    indicator = words.gross_indicator if card.indicator == "info" else card.indicator
    return replace(card, summary=plain(summary, MAX_SUMMARY_LENGTH), indicator=indicator)


def _paragraph(telling: CardContext, order: CheckedOrder) -> str:
    words = telling.knowledge.order_checks.words
    lead = words.lead.format(treatment=telling.treatment(order.treatment), draft=quote(order.reference))
    lines = [_line(check, telling, words) for check in order.checks if _deviates(check)]
    unstated = [check for check in order.checks if check.why == words.why["not_stated"]]
    for line, items in (
        (words.lines.ok, [_item(words.items.ok, check) for check in order.checks if check.verdict is CheckVerdict.OK]),
        (words.lines.not_stated, [check.title for check in unstated]),
        (words.lines.unknown, [_item(words.items.unknown, each) for each in _unknown(order) if each not in unstated]),
    ):
        lines += [line.format(items="; ".join(items))] if items else []
    return "\n".join((lead, "", *lines))


def _unknown(order: CheckedOrder) -> list[OrderCheck]:
    return [check for check in order.checks if check.verdict is CheckVerdict.UNKNOWN]


def _deviates(check: OrderCheck) -> bool:
    return check.verdict is CheckVerdict.DEVIATES


def _line(check: OrderCheck, telling: CardContext, words: OrderCheckWords) -> str:
    if not check.expected:
        return words.lines.says.format(title=check.title, why=check.why)
    known = telling.knowledge.sources
    named = [known[key].short or known[key].citation for key in check.sources]
    source = ", ".join((*named, words.local) if check.local else named)
    return words.lines.deviates.format(title=check.title, drafted=check.drafted, expected=check.expected, source=source)


def _item(item: str, check: OrderCheck) -> str:
    return item.format(title=check.title, drafted=check.drafted or check.why, why=check.why).strip()


def _suggestions(telling: CardContext, order: CheckedOrder) -> Iterable[Suggestion]:
    words = telling.knowledge.order_checks.words.suggestions
    if order.removable:
        said = {"treatment": telling.treatment(order.treatment)}
        yield _suggestion(telling, words.remove, said, "delete", resource_id=order.reference)
    for check in order.checks:
        if check.correction:
            yield _correction_suggestion(telling, words.correct, check, check.correction)


def _correction_suggestion(
    telling: CardContext, words: SuggestionWords, check: OrderCheck, correction: Correction
) -> Suggestion:
    said = {
        "title": check.title,
        "value": correction.value,
        "unit": correction.unit,
        "before": correction.before,
        "because": correction.because,
    }
    made = _suggestion(telling, words, said, "update")
    return replace(made, actions=tuple(replace(each, resource=correction.resource) for each in made.actions))


def _suggestion(
    telling: CardContext, words: SuggestionWords, said: dict[str, str], kind: str, resource_id: str = ""
) -> Suggestion:
    action = Action(type=kind, description=words.description.format(**said), resource_id=resource_id)
    label = plain(words.label.format(**said), MAX_SUMMARY_LENGTH)
    return Suggestion(uuid=telling.new_id(), label=label, actions=(action,))
