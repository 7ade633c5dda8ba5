"""The checks of the orders being signed, as paragraphs and suggestions of the card with the criteria. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

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


def order_lines(context: CardContext, named: Sequence[str]) -> list[str]:
    """What is wrong with the orders, one short line each; ``named`` are phrases that the headline says already."""
    words, checks = context.knowledge.order_checks.words, _own_checks(context)
    said = {check.check for check in checks if named and not check.headline and _phrase(context, check) in named}
    alone = critical_summary(context)

    def is_told(check: OrderCheck) -> bool:
        return check.check in said or (check.critical and check.drafted in alone)

    untold = (check for check in checks if _deviates(check) and not is_told(check))
    lines = list(dict.fromkeys(_line(check, context, words) for check in untold))
    lines += _remarks_on_orders(context)
    return lines + [f"* {sentence}" for sentence in not_judged(context)]


def not_judged(context: CardContext) -> list[str]:
    """How many drafts name no drug that is known, and how many entries are no orders, one sentence each."""
    words, ordered = context.knowledge.order_checks.words, context.ordered
    counts = ((words.unnamed_beside, len(ordered.unnamed)), (words.unreadable_beside, ordered.unreadable))
    return [sentence.format(count=count) for sentence, count in counts if count]


def open_order_lines(context: CardContext) -> list[str]:
    """What the orders do not state, and what could not be judged."""
    words, checks = context.knowledge.order_checks.words, _own_checks(context)
    unknown = [check for check in checks if check.verdict is CheckVerdict.UNKNOWN]
    not_stated = words.why["not_stated"]
    titles = dict.fromkeys(check.title for check in unknown if check.why == not_stated)
    unread = dict.fromkeys(_item(words.items.unknown, check) for check in unknown if check.why != not_stated)
    lines = ((words.lines.not_stated, titles), (words.lines.unknown, unread))
    return [line.format(items="; ".join(items)) for line, items in lines if items]


def _own_checks(context: CardContext) -> list[OrderCheck]:
    """The checks without those that repeat a criterion, which the headline and its reasons say."""
    repeating = context.knowledge.order_checks.repeating
    return [check for order in context.checked for check in order.checks if check.check not in repeating]


def order_reminders(context: CardContext) -> list[str]:
    """What is said with every order of its kind that is signed, such as the equipment that has to be at hand."""
    every = context.knowledge.order_checks.remarks
    remarks = (check for order in context.checked for check in _remarks(context, order) if check.check in every)
    return list(dict.fromkeys(_says(context, check) for check in remarks))


def order_phrases(context: CardContext) -> list[str]:
    """What is far out in the orders, in a few words each; not of an order that is contraindicated altogether."""
    orders = (order for order in context.checked if not order.contraindicated)
    gross = (check for order in orders for check in order.checks if check.gross)
    return list(dict.fromkeys(_phrase(context, check) for check in gross))


def _phrase(context: CardContext, check: OrderCheck) -> str:
    """The check in a few words: what the order says, or the value with what is expected."""
    if check.headline:
        return check.headline
    words = context.knowledge.order_checks.words.gross
    phrase = words.long.format(title=check.title, drafted=check.drafted, expected=check.expected)
    if not check.drafted or len(phrase) > words.most_characters:
        return words.short.format(title=check.title)
    return phrase


def _remarks_on_orders(context: CardContext) -> list[str]:
    """What is worth a line in these orders; of a check that holds for several, such as a combination, one line."""
    every = context.knowledge.order_checks.remarks
    lines: dict[str, list[str]] = {}
    for order in context.checked:
        for check in _remarks(context, order):
            if check.check not in every:
                lines.setdefault(check.check, []).append(_says(context, check))
    return [several[0] for several in lines.values()]


def _says(context: CardContext, check: OrderCheck) -> str:
    return context.knowledge.order_checks.words.lines.says.format(title=check.title, why=check.why)


def with_checks(context: CardContext, card: Card) -> Card:
    """The card with suggestions to delete or correct orders; its basis includes the results of the checks."""
    context.bases[card.uuid] = _with_order_results(context, context.bases[card.uuid])
    suggestions = tuple(suggestion for order in context.checked for suggestion in _suggestions(context, order))
    if not suggestions:
        return card
    behavior = card.selection_behavior or ANY
    return replace(card, suggestions=(*suggestions, *card.suggestions), selection_behavior=behavior)


def _with_order_results(context: CardContext, basis: CardBasis) -> CardBasis:
    checks = [(order.treatment, check) for order in context.checked for check in order.checks]
    results = tuple([(treatment, check.check, check.verdict, check.drafted, check.why) for treatment, check in checks])
    return dataclasses.replace(basis, orders=results, far_out=any(check.gross for _, check in checks))


def critical_summary(context: CardContext) -> str:
    """The summary for a value so far out that it is dangerous, which stands alone; empty without one.

    An order that is contraindicated is not mended: then the contraindication stands in the summary.
    """
    words = context.knowledge.order_checks.words
    for order in context.checked:
        critical = next((check for check in order.checks if check.critical), None)
        if critical and not order.contraindicated:
            summary = words.critical_summary.format(
                treatment=context.treatment(order.treatment),
                title=critical.title,
                drafted=critical.drafted,
                expected=critical.expected,
            )
            return plain(summary, MAX_SUMMARY_LENGTH)
    return ""


def _paragraph(context: CardContext, order: CheckedOrder) -> str:
    words = context.knowledge.order_checks.words
    lead = words.lead.format(treatment=context.treatment(order.treatment), draft=quote(order.reference))
    lines = [_line(check, context, words) for check in order.checks if _deviates(check)]
    lines += [_says(context, check) for check in _remarks(context, order)]
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
