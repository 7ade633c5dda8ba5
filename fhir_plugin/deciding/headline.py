"""The first line about a treatment: its standing, its weightiest reasons, and what was not looked at. Pure.

A headline is built from whole phrases until no more fit; it is never cut. Reasons that do not fit are counted, so that
nobody takes the line for the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from fhir_plugin.deciding.against import HARM, MISSING, TO_ASK, TO_CHECK, TO_WEIGH, UNMET, Against, against_of
from fhir_plugin.deciding.finding import Verdict
from fhir_plugin.deciding.recommend import TreatmentAnswer
from fhir_plugin.deciding.standing import Standing, WeighedFinding, worst
from mappings.schema.load import Knowledge
from mappings.schema.rules.protocols import Role
from mappings.schema.texts.cards import HeadlineWords

MAX_HEADLINE = 139
"""Characters: the summary of a card must have fewer than 140."""


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """The line, and which findings it names."""

    text: str
    named: frozenset[str] = frozenset()
    """Criteria."""


class _Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of the line, with the findings that it stands for."""

    texts: tuple[str, ...]
    """From the longest to the shortest, for a line in which the longest does not fit."""
    criteria: tuple[str, ...]


def headline(
    treatment: str,
    standing: Standing,
    against: Against,
    knowledge: Knowledge,
    *,
    ordering: bool = True,
    of_order: Sequence[str] = (),
) -> Headline:
    """The headline of a treatment, by its display name; ``ordering``: whether something is about to be signed.

    ``of_order`` are phrases about what is far out in the order: a reason to review, named after what forbids it alone.
    """
    if of_order:
        standing = worst((standing, Standing.REVIEW))
    words = knowledge.cards.headline
    template = words.standings[standing.value]
    if not ordering:
        template = words.elsewhere.get(standing.value, template)
    segments = _segments(standing, against, knowledge)
    forbidding = [weighed for weighed in against.of(HARM) if weighed.standing in _FORBIDDEN]
    place = min(len(forbidding), words.most_reasons)
    segments[place:place] = [_Segment(texts=(phrase,), criteria=()) for phrase in of_order]
    if not segments and standing is not Standing.MET:
        nothing_more = words.no_further if standing is Standing.OPEN else words.empty
        segments = [_Segment(texts=(nothing_more,), criteria=())]
    counted = {weighed.finding.criterion for weighed in _counted(standing, against)}
    lead = template.format(treatment=treatment, reasons="")
    text, named = _filled(segments, counted, MAX_HEADLINE - len(lead), words)
    if lead.rstrip().endswith("."):
        text = text[:1].upper() + text[1:]
    return Headline(text=template.format(treatment=treatment, reasons=text), named=named)


def headline_of(answer: TreatmentAnswer, knowledge: Knowledge, *, ordering: bool) -> Headline:
    """The headline of what a protocol concludes for a treatment."""
    name, against = knowledge.cards.treatments[answer.treatment], against_of(answer.weighed, knowledge)
    return headline(name, answer.standing, against, knowledge, ordering=ordering)


def reason_phrase(weighed: WeighedFinding, knowledge: Knowledge) -> str:
    """One reason in a few words, with what clears it where it is a hold."""
    finding = weighed.finding
    phrase = finding.phrase or knowledge.criteria[finding.criterion].short
    if weighed.role is Role.HOLD and finding.verdict is Verdict.MET and weighed.clause.do:
        return knowledge.cards.headline.instead.format(reason=phrase, do=weighed.clause.do)
    return phrase


def needs(weighed_findings: Iterable[WeighedFinding], knowledge: Knowledge) -> list[str]:
    """What would have to be known, each named once: a list that was not read whole stands for all that rests on it."""
    words, names = knowledge.wording.inputs, []
    for weighed in weighed_findings:
        unread = weighed.finding.unread
        names += [words[name] for name in unread] if unread else [_short(weighed, knowledge)]
    return list(dict.fromkeys(names))


def joined(items: Sequence[str], words: HeadlineWords) -> str:
    """Several items as a list in a sentence: ``a, b and c``."""
    *first, last = items
    return words.and_.format(first=f"{words.items} ".join(first), last=last) if first else last


_FORBIDDEN = (Standing.CONTRAINDICATED, Standing.HOLD)


def _counted(standing: Standing, against: Against) -> list[WeighedFinding]:
    """What is counted when it is not named: what makes the standing, not the questions beside it."""
    counted = against.of(HARM, UNMET)
    if standing is Standing.OPEN:
        counted += [weighed for weighed in against.of(TO_WEIGH) if weighed.role is not Role.EXPECTED]
    return counted


def _segments(standing: Standing, against: Against, knowledge: Knowledge) -> list[_Segment]:
    words, harm = knowledge.cards.headline, against.of(HARM)
    segments, unmet = _single(harm[: words.most_reasons], knowledge), _unmet(standing, against.of(UNMET), knowledge)
    segments = unmet + segments if standing is Standing.NOT_MET else segments + unmet
    told = {_short(weighed, knowledge) for weighed in harm}
    missing = [weighed for weighed in against.of(MISSING) if _short(weighed, knowledge) not in told]
    template = words.needed if standing in (Standing.UNKNOWN, Standing.OPEN) else words.not_known
    segments += _group(template, needs(missing, knowledge), missing, words)
    return segments + _questions(against, knowledge) if standing is Standing.OPEN else segments


def _single(weighed_findings: Iterable[WeighedFinding], knowledge: Knowledge) -> list[_Segment]:
    """One piece for each finding."""
    return [
        _Segment(texts=(reason_phrase(weighed, knowledge),), criteria=(weighed.finding.criterion,))
        for weighed in weighed_findings
    ]


def _unmet(standing: Standing, unmet: Sequence[WeighedFinding], knowledge: Knowledge) -> list[_Segment]:
    """What is required and not met: one by one where that is the standing, else together."""
    if standing is Standing.NOT_MET:
        return _single(unmet, knowledge)
    return _group(knowledge.cards.headline.not_met, _phrases(unmet, knowledge), unmet, knowledge.cards.headline)


def _questions(against: Against, knowledge: Knowledge) -> list[_Segment]:
    """What is open: what is known and to be weighed, then what is to be checked and asked."""
    words = knowledge.cards.headline
    weigh, check, ask = against.of(TO_WEIGH), against.of(TO_CHECK), against.of(TO_ASK)
    return [
        *_group(words.weigh, _phrases(weigh, knowledge), weigh, words),
        *_group(words.check, needs(check, knowledge), check, words),
        *_group(words.ask, needs(ask, knowledge), ask, words),
    ]


def _phrases(weighed_findings: Iterable[WeighedFinding], knowledge: Knowledge) -> list[str]:
    return list(dict.fromkeys(reason_phrase(weighed, knowledge) for weighed in weighed_findings))


_MOST_ITEMS = 4
"""Items of one group in a headline; the others are counted."""


def _group(
    template: str, items: Sequence[str], weighed_findings: Sequence[WeighedFinding], words: HeadlineWords
) -> list[_Segment]:
    """The items as one piece; those that are not named are counted."""
    if not items:
        return []
    texts = [template.format(items=_first(items, count, words)) for count in range(min(len(items), _MOST_ITEMS), 0, -1)]
    return [_Segment(texts=tuple(texts), criteria=tuple(weighed.finding.criterion for weighed in weighed_findings))]


def _first(items: Sequence[str], count: int, words: HeadlineWords) -> str:
    more = len(items) - count
    return joined([*items[:count], *([words.more.format(count=more)] if more else [])], words)


def _filled(
    segments: Sequence[_Segment], counted: set[str], room: int, words: HeadlineWords
) -> tuple[str, frozenset[str]]:
    """The pieces that fit, in their order, and how many reasons stand behind them."""
    chosen: list[str] = []
    named: set[str] = set()
    for segment in segments:
        rest = counted - named - set(segment.criteria)
        fitting = (text for text in segment.texts if len(_in_line(words, [*chosen, text, *_more(rest, words)])) <= room)
        text = next(fitting, "" if chosen else segment.texts[-1])
        if text:
            chosen.append(text)
            named |= set(segment.criteria)
    return _in_line(words, [*chosen, *_more(counted - named, words)]), frozenset(named)


def _in_line(words: HeadlineWords, pieces: Sequence[str]) -> str:
    return f"{words.between} ".join(pieces)


def _more(rest: set[str], words: HeadlineWords) -> list[str]:
    return [words.more.format(count=len(rest))] if rest else []


def _short(weighed: WeighedFinding, knowledge: Knowledge) -> str:
    return knowledge.criteria[weighed.finding.criterion].short
