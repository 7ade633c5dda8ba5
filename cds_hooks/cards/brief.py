"""The detail of a card that is read in ten seconds: what is known against it, the order, what is not known. Pure.

It adds to the headline and does not repeat it: a reason that the headline names appears here with its why alone. Lines
that are not about safety are left out where there is no room; nothing that is known against a treatment is, only named
more shortly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cds_hooks.cards.builder import CardContext
from cds_hooks.protocol.markdown import quote, table_row
from fhir_plugin.deciding.against import HARM, MISSING, TO_ASK, TO_CHECK, TO_WEIGH, UNMET, Against
from fhir_plugin.deciding.finding import Doubt, Verdict
from fhir_plugin.deciding.headline import Headline, joined, needs, reason_phrase
from fhir_plugin.deciding.phrases import date_words
from fhir_plugin.deciding.recommend import TreatmentAnswer
from fhir_plugin.deciding.standing import Standing, WeighedFinding
from fhir_plugin.facts.fact import Evidence, Presence
from fhir_plugin.record.dates import is_within
from mappings.schema.rules.protocols import Role


class OrderText(NamedTuple):
    """What the detail says of the orders beside the standing of the first treatment; never left out."""

    lines: Sequence[str]
    """What is wrong with the orders."""
    others: Sequence[str]
    """The headlines of the other treatments that are ordered."""


def brief_detail(
    context: CardContext,
    answer: TreatmentAnswer,
    against: Against,
    head: Headline,
    beside: OrderText,
    optional: Iterable[str],
) -> list[str]:
    """The paragraphs; ``optional`` ones need room.

    The fewer words there are for the reasons, the fewer are told with their why; all are named.
    """
    closing, words = basis_line(context), context.words.brief
    points = _open_points(context, answer, against, head)
    for lines in range(words.most_lines, 0, -1):
        parts = ["\n".join((*_harm(context, against, head, lines), *beside.lines)), *beside.others, *points]
        if _length((*parts, closing)) <= words.most_words:
            break
    parts = with_room(context, parts, optional, closing)
    if not context.has_app:
        room = words.most_words_with_table - _length((*parts, closing))
        parts.append(criteria_table(context, answer, head.named | _said(against), room))
    return [*parts, closing]


def _length(parts: Iterable[str]) -> int:
    """Words."""
    return sum([len(part.split()) for part in parts])


def _open_points(context: CardContext, answer: TreatmentAnswer, against: Against, head: Headline) -> list[str]:
    """What is to be weighed, what was not read, and what would settle it; nothing of it changes a contraindication."""
    points = [
        _weigh(context, against, head),
        _not_read(context, against, head),
        _unrecognised(context, against),
        _unscored(context),
    ]
    if answer.standing is not Standing.CONTRAINDICATED:
        points.append(_settle(context, against, head))
    return [point for point in points if point]


def with_room(context: CardContext, parts: Sequence[str], optional: Iterable[str], closing: str = "") -> list[str]:
    """The parts, and of the optional ones, in their order, those for which there is room."""
    kept, room = list(parts), context.words.brief.most_words - _length((*parts, closing))
    for line in optional:
        length = _length((line,))
        if length <= room:
            kept.append(line)
            room -= length
    return kept


def _said(against: Against) -> frozenset[str]:
    """The criteria that the headline or a line of the detail names."""
    return frozenset([weighed.finding.criterion for weighed in against.of(HARM, TO_WEIGH, TO_ASK)])


# What is known against it


def _harm(context: CardContext, against: Against, head: Headline, most: int) -> list[str]:
    """One line per reason with its why, the heaviest first; then the others by name."""
    words = context.words.brief
    known = against.of(HARM, UNMET)
    lines = [_reason(context, weighed, head) for weighed in known[:most]]
    others = [weighed for weighed in known[most:] if weighed.finding.criterion not in head.named]
    if others:
        named = [reason_phrase(weighed, context.knowledge) for weighed in others]
        lines.append(words.also.format(items="; ".join(named)))
    return lines


def _reason(context: CardContext, weighed: WeighedFinding, head: Headline) -> str:
    criterion = context.knowledge.criteria[weighed.finding.criterion]
    is_named = criterion.id in head.named
    title = criterion.short if is_named else reason_phrase(weighed, context.knowledge)
    title = title[:1].upper() + title[1:]
    words, entry = context.words.brief, _possible_entry(weighed, title)
    template = words.reason_of if entry else words.reason
    line = template.format(title=title, entry=entry, why=_as_clause(weighed.clause.why))
    return f"{line} {context.knowledge.wording.local}" if weighed.finding.local else line


def _possible_entry(weighed: WeighedFinding, title: str) -> str:
    """The newest entry that makes it possible, in the words of the record, unless it says no more than the title."""
    if weighed.finding.verdict is not Verdict.UNKNOWN:
        return ""
    labels = [entry.label for entry in weighed.finding.evidence if entry.label]
    return quote(labels[-1]) if labels and labels[-1].lower() != title.lower() else ""


def _as_clause(sentence: str) -> str:
    """A sentence as the part after a colon."""
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() or sentence[1:2] == " " else sentence


def _weigh(context: CardContext, against: Against, head: Headline) -> str:
    """What changes no plan by itself, where the headline does not name it."""
    chosen = [weighed for weighed in against.of(TO_WEIGH) if weighed.finding.criterion not in head.named]
    named = dict.fromkeys(reason_phrase(weighed, context.knowledge) for weighed in chosen)
    return context.words.brief.weigh.format(items="; ".join(named)) if named else ""


# What is not known


def _not_read(context: CardContext, against: Against, head: Headline) -> str:
    unread = [weighed for weighed in against.of(MISSING, TO_CHECK) if weighed.finding.unread]
    unnamed = [weighed for weighed in unread if weighed.finding.criterion not in head.named]
    if not unnamed:
        return ""
    items = joined(needs(unnamed, context.knowledge), context.words.headline)
    return context.words.brief.not_read.format(items=items)


def _unrecognised(context: CardContext, against: Against) -> str:
    """Entries that no table has, in the words of the record."""
    words = context.words
    entries = [entry for weighed in against.of(TO_CHECK) for entry in weighed.finding.evidence]
    labels = list(dict.fromkeys(quote(entry.label or entry.reference) for entry in entries if not entry.name))
    if not labels:
        return ""
    return words.brief.unrecognised.format(items=_first_few(context, labels))


def _first_few(context: CardContext, items: Sequence[str]) -> str:
    """The first entries of a list, and how many more there are."""
    words, most = context.words.headline, context.words.brief.most_unrecognised
    rest = [words.more.format(count=len(items) - most)] if len(items) > most else []
    return joined([*items[:most], *rest], words)


def _unscored(context: CardContext) -> str:
    """Recent questionnaires without a score and why, newest first, those of known instruments before the others."""
    words, value = context.words.brief, context.decision.facts.named["scores.unscored"].value
    entries = value.possible if isinstance(value, Presence) else ()
    recent = [entry for entry in entries if is_within(entry.day, words.unscored_days, context.as_of) or not entry.day]
    newest = sorted(recent, key=lambda entry: (not entry.name, -entry.day.last.toordinal() if entry.day else 0))
    forms = list(dict.fromkeys(_unscored_form(context, entry) for entry in newest))
    return words.unscored.format(items=_first_few(context, forms)) if forms else ""


def _unscored_form(context: CardContext, entry: Evidence) -> str:
    day = date_words(entry.day, context.as_of, context.knowledge.wording.days) if entry.day else ""
    form = entry.name or quote(entry.label or entry.reference)
    return " ".join(context.words.brief.unscored_form.format(form=form, day=day, why=entry.note).split())


def _settle(context: CardContext, against: Against, head: Headline) -> str:
    """What to ask or measure, the deciding questions first; not the questions that the headline asks already."""
    words = context.words.brief
    deciding = [
        weighed
        for kind, weighed in against.points
        if kind in _DECIDING and not (kind is TO_ASK and weighed.finding.criterion in head.named)
    ]
    unknown = [weighed for weighed in (*deciding, *against.of(TO_CHECK, TO_WEIGH)) if _can_be_settled(weighed)]
    asks = list(dict.fromkeys([context.knowledge.criteria[weighed.finding.criterion].ask.words for weighed in unknown]))
    if not asks:
        return ""
    shown, more = asks[: words.most_asks], len(asks) - words.most_asks
    return words.settle.format(asks=" ".join([*shown, *([words.more_asks.format(count=more)] if more > 0 else [])]))


_DECIDING = (HARM, MISSING, TO_ASK)


def _can_be_settled(weighed: WeighedFinding) -> bool:
    """Whether it is unknown, and to be asked or measured: reading a list whole would settle all that is on the list."""
    finding = weighed.finding
    if finding.doubt is Doubt.UNREAD and finding.unread and weighed.role is not Role.REQUIRED:
        return False
    return finding.verdict is Verdict.UNKNOWN


# The basis


def basis_line(context: CardContext) -> str:
    """Protocol, weakest grade of the evidence, an overdue review, and whose judgement it is."""
    overdue = context.overdue
    return context.words.brief.basis.format(
        protocol=context.protocol.short,
        grade=context.fixed.grades[context.protocol.id],
        overdue=f"{overdue} " if overdue else "",
    )


def criteria_table(context: CardContext, answer: TreatmentAnswer, said: frozenset[str], most_words: int) -> str:
    """What was looked at, one row each: criterion, value, day and verdict, without what the card says already."""
    words, head = context.words.brief, context.fixed.table_head
    rows = [
        table_row(_row(context, weighed))
        for weighed in answer.weighed
        if weighed.finding.criterion not in said and _has_row(weighed)
    ]
    absent = sum([weighed.absent for weighed in answer.weighed])
    last = [table_row((words.table_absent.format(count=absent), "", "", words.table_not_found))] if absent else []
    kept, room = list(rows), most_words - _length((head, *last))
    while kept and _length((*kept, *_cut(context, len(rows) - len(kept)))) > room:
        kept.pop()
    return "\n".join((head, *kept, *_cut(context, len(rows) - len(kept)), *last))


def _cut(context: CardContext, more: int) -> tuple[str, ...]:
    """The row for those for which there is no room."""
    return (table_row((context.words.brief.table_cut.format(count=more), "", "", "")),) if more else ()


def _has_row(weighed: WeighedFinding) -> bool:
    verdicts = _WITH_UNREAD if weighed.finding.unread else _WITH_A_ROW
    return weighed.finding.verdict in verdicts[weighed.role]


_WITH_A_ROW: dict[Role, tuple[Verdict, ...]] = {
    **dict.fromkeys(Role, (Verdict.MET, Verdict.UNKNOWN)),
    **dict.fromkeys((Role.REQUIRED, Role.EXPECTED), tuple(Verdict)),
    Role.CONTEXT: (),
}
"""The verdicts with which a finding has a row."""
_WITH_UNREAD: dict[Role, tuple[Verdict, ...]] = {**dict.fromkeys(Role, ()), Role.REQUIRED: tuple(Verdict)}
"""The same where a list was not read whole, which stands in a line of its own."""


def _row(context: CardContext, weighed: WeighedFinding) -> tuple[str, ...]:
    finding, words = weighed.finding, context.words.table
    day = date_words(finding.day, context.as_of, context.knowledge.wording.days) if finding.day else ""
    verdict = (
        words.doubts[finding.doubt.value] if finding.doubt else words.verdicts[weighed.role][finding.verdict.value]
    )
    return context.title(finding.criterion), finding.value, day, verdict
