"""The checks of the orders being signed, as paragraphs and suggestions of the card with the criteria. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from msgspec.structs import replace

from cds_hooks.cards.builder import MAX_SUMMARY_LENGTH, CardBasis, CardContext
from cds_hooks.cards.offering import ANY
from cds_hooks.protocol.markdown import plain, quote
from cds_hooks.protocol.responses import Action, Card, Suggestion
from fhir_plugin.order_checks.result import CheckedOrder, CheckVerdict, Correction, OrderCheck
from mappings.schema.order_checks.words import OrderCheckWords, SuggestionWords


def order_paragraphs(context: CardContext) -> list[str]:
    """One paragraph per order: what deviates, what is as expected, what could not be judged."""
    return [_paragraph(context, order) for order in context.checked if order.checks]


def order_lines(context: CardContext) -> list[str]:
    """What is wrong with the orders, one short line each; what is as expected is not mentioned."""
    words = context.knowledge.order_checks.words
    lines = [_line(check, context, words) for order in context.checked for check in order.checks if _deviates(check)]
    for order in context.checked:
        unstated = [check.title for check in _unknown(order) if check.why == words.why["not_stated"]]
        lines += [words.lines.not_stated.format(items="; ".join(unstated))] if unstated else []
        unread = [_item(words.items.unknown, check) for check in _unknown(order) if check.title not in unstated]
        lines += [words.lines.unknown.format(items="; ".join(unread))] if unread else []
    if unnamed := len(context.ordered.unnamed):
        lines.append(f"* {words.unnamed_beside.format(count=unnamed)}")
    return lines


def with_checks(context: CardContext, card: Card) -> Card:
    """The card with a warning about values far out of range, and suggestions to delete or correct orders."""
    context.bases[card.uuid] = _with_order_results(context, context.bases[card.uuid])
    card = _warning(context, card)
    suggestions = tuple(suggestion for order in context.checked for suggestion in _suggestions(context, order))
    if not suggestions:
        return card
    behavior = card.selection_behavior or ANY
    return replace(card, suggestions=(*suggestions, *card.suggestions), selection_behavior=behavior)


def _with_order_results(context: CardContext, basis: CardBasis) -> CardBasis:
    checks = [(order.treatment, check) for order in context.checked for check in order.checks]
    results = tuple((treatment, check.check, check.verdict, check.drafted, check.why) for treatment, check in checks)
    return dataclasses.replace(basis, orders=results, far_out=any(check.gross for _, check in checks))


def _warning(context: CardContext, card: Card) -> Card:
    """A value far out of range comes first in the summary, unless that order is contraindicated altogether."""
    words = context.knowledge.order_checks.words
    orders = [order for order in context.checked if not order.contraindicated]
    far_out = [(order.treatment, check) for order in orders for check in order.checks if check.gross]
    if not far_out:
        return card
    for treatment, check in far_out:
        if check.critical:
            name, values = context.treatment(treatment), {"drafted": check.drafted, "expected": check.expected}
            summary = words.critical_summary.format(treatment=name, title=check.title, **values)
            return replace(card, summary=plain(summary, MAX_SUMMARY_LENGTH), indicator=words.critical_indicator)
    indicator = words.gross_indicator if card.indicator == "info" else card.indicator
    return replace(card, summary=_gross_summary(context, far_out, card.summary), indicator=indicator)


def _gross_summary(context: CardContext, far_out: list[tuple[str, OrderCheck]], summary: str) -> str:
    """What is far out, and then the summary as far as it fits as a whole."""
    words, treatment = context.knowledge.order_checks.words, context.treatment(far_out[0][0])
    headlines = list(dict.fromkeys(check.headline for _, check in far_out if check.headline))
    titles = " and ".join(dict.fromkeys(check.title for _, check in far_out if not check.headline))
    sentence, values = words.gross_summary, {"treatment": treatment, "titles": titles}
    if headlines:
        headlines += [words.far_out.format(titles=titles)] if titles else []
        sentence, values = words.said_summary, {"treatment": treatment, "headlines": "; ".join(headlines)}
    whole = sentence.format(summary=summary, **values)
    if len(whole) > MAX_SUMMARY_LENGTH:
        whole = sentence.format(summary="", **values)
    return plain(whole, MAX_SUMMARY_LENGTH)


def _paragraph(context: CardContext, order: CheckedOrder) -> str:
    words = context.knowledge.order_checks.words
    lead = words.lead.format(treatment=context.treatment(order.treatment), draft=quote(order.reference))
    lines = [_line(check, context, words) for check in order.checks if _deviates(check)]
    lines += [words.lines.says.format(title=check.title, why=check.why) for check in _remarks(context, order)]
    as_expected = [check for check in order.checks if check.verdict is CheckVerdict.OK and not check.remark]
    unstated = [check for check in order.checks if check.why == words.why["not_stated"]]
    for line, items in (
        (words.lines.ok, [_item(words.items.ok, check) for check in as_expected]),
        (words.lines.not_stated, [check.title for check in unstated]),
        (
            words.lines.unknown,
            [_item(words.items.unknown, check) for check in _unknown(order) if check not in unstated],
        ),
    ):
        lines += [line.format(items="; ".join(items))] if items else []
    return "\n".join((lead, "", *lines))


def _unknown(order: CheckedOrder) -> list[OrderCheck]:
    return [check for check in order.checks if check.verdict is CheckVerdict.UNKNOWN]


def _remarks(context: CardContext, order: CheckedOrder) -> list[OrderCheck]:
    """What is worth a line although nothing deviates; what is said with every order, only where it is signed."""
    knowledge = context.knowledge.order_checks
    hidden = knowledge.remarks if context.hook not in knowledge.words.remarks_at else frozenset()
    return [check for check in order.checks if check.remark and check.check not in hidden]


def _deviates(check: OrderCheck) -> bool:
    return check.verdict is CheckVerdict.DEVIATES


def _line(check: OrderCheck, context: CardContext, words: OrderCheckWords) -> str:
    if not check.expected:
        return words.lines.says.format(title=check.title, why=check.why)
    sources = context.knowledge.sources
    names = [sources[key].short or sources[key].citation for key in check.sources]
    source = ", ".join((*names, words.local) if check.local else names)
    return words.lines.deviates.format(title=check.title, drafted=check.drafted, expected=check.expected, source=source)


def _item(item: str, check: OrderCheck) -> str:
    return item.format(title=check.title, drafted=check.drafted or check.why, why=check.why).strip()


def _suggestions(context: CardContext, order: CheckedOrder) -> Iterable[Suggestion]:
    words = context.knowledge.order_checks.words.suggestions
    if order.removable:
        values = {"treatment": context.treatment(order.treatment)}
        yield _suggestion(context, words.remove, values, "delete", resource_id=order.reference)
    for check in order.checks:
        if check.correction:
            yield _correction_suggestion(context, words.correct, check, check.correction)


def _correction_suggestion(
    context: CardContext, words: SuggestionWords, check: OrderCheck, correction: Correction
) -> Suggestion:
    values = {
        "title": check.title,
        "value": correction.value,
        "unit": correction.unit,
        "before": correction.before,
        "because": correction.because,
    }
    suggestion = _suggestion(context, words, values, "update")
    return replace(
        suggestion, actions=tuple(replace(action, resource=correction.resource) for action in suggestion.actions)
    )


def _suggestion(
    context: CardContext, words: SuggestionWords, values: dict[str, str], kind: str, resource_id: str = ""
) -> Suggestion:
    action = Action(type=kind, description=words.description.format(**values), resource_id=resource_id)
    label = plain(words.label.format(**values), MAX_SUMMARY_LENGTH)
    return Suggestion(uuid=context.new_id(), label=label, actions=(action,))
