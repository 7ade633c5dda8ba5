"""The card before a treatment session, in the wording of ``mappings/sessions.yaml``. Pure.

Text of the record appears nowhere on it: values and days are parsed ones, names are those of the knowledge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from cds_hooks.cards.builder import MAX_SUMMARY_LENGTH, CardBasis, CardContext, make_card
from cds_hooks.cards.measures import with_scores
from cds_hooks.cards.offering import ANY, AT_MOST_ONE
from cds_hooks.protocol.responses import Action, Card, Suggestion
from fhir_plugin.deciding.finding import Finding, Verdict
from fhir_plugin.facts.fact import Measurement
from fhir_plugin.orders.fhir import OrderContext, questionnaire
from fhir_plugin.record.dates import DaySpan
from fhir_plugin.sessions.hit import Hit
from fhir_plugin.sessions.review import SessionReason, SessionReview, review_session
from mappings.schema.base.entries import Verification
from mappings.schema.sessions import LEVELS, PHRASE_FIELDS, Level, Sessions
from mappings.schema.texts.cards import Indicator

_WORST_FIRST: tuple[Indicator, ...] = ("critical", "warning", "info")
_DUE: Level = "due"


def session_cards(context: CardContext, safety: tuple[Card, ...]) -> tuple[Card, ...]:
    """The safety cards and the card of the session; in a crisis, what is merely due is not said beside it."""
    review = review_session(context.decision, context.knowledge)
    lines = _lines(context, review)
    if safety and all(line.level == _DUE for line in lines):
        return safety
    card = (_card(context, review, lines),) if lines else ()
    most = context.knowledge.sessions.most_offers
    return (*safety, *(replace(card, suggestions=card.suggestions[:most]) for card in with_scores(context, card)))


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """One reason in words."""

    short: str
    action: str
    level: Level
    indicator: Indicator
    treatments: tuple[str, ...]
    why: str
    reason: SessionReason | None = None
    """``None``: what could not be read."""


def _lines(context: CardContext, review: SessionReview) -> list[_Line]:
    """The reasons in words: worst first, then what concerns more courses, then what could not be read."""
    lines = [_line(context, reason) for reason in review.reasons]
    lines += _unread_lines(context, review)
    return sorted(lines, key=lambda line: (LEVELS.index(line.level), -len(line.treatments)))


def _line(context: CardContext, reason: SessionReason) -> _Line:
    sessions, rule = context.knowledge.sessions, reason.rule
    phrase = rule.possible if reason.hit.possible else rule.short
    action = rule.action if reason.level == rule.level else sessions.words.possible_action
    return _Line(
        short=phrase.format(**_values(context, reason.hit)),
        action=action,
        level=reason.level,
        indicator=sessions.indicator(rule, reason.level),
        treatments=reason.treatments,
        why=rule.why,
        reason=reason,
    )


def _unread_lines(context: CardContext, review: SessionReview) -> Iterator[_Line]:
    sessions, rule = context.knowledge.sessions, context.knowledge.sessions.unread
    treatments = tuple(course.treatment for course in review.courses)
    shorts = []
    if review.unread:
        shorts.append(rule.short.format(inputs=", ".join(rule.names[name] for name in review.unread)))
    if review.unread_entries:
        phrase = rule.one_entry if review.unread_entries == 1 else rule.entries
        shorts.append(phrase.format(count=review.unread_entries))
    for short in shorts:
        yield _Line(short, rule.action, "review", sessions.indicators["review"], treatments, rule.why)


def _values(context: CardContext, hit: Hit) -> dict[str, str]:
    words = context.knowledge.sessions.words
    values = dict.fromkeys(PHRASE_FIELDS, "") | dict(hit.values)
    if days := values["days"]:
        values["days"] = (words.one_day if days == "1" else words.days).format(days=days)
    return values | {"when": _when(context, hit.day)}


def _when(context: CardContext, day: DaySpan | None) -> str:
    """A day as clinicians write it: ``26 Nov``, with the year where it is another one."""
    words = context.knowledge.sessions.words
    if day is None:
        return words.undated
    if day.first != day.last:
        return str(day)
    if day.first == context.as_of:
        return words.today
    return context.knowledge.wording.days.write(day.first, context.as_of)


def _card(context: CardContext, review: SessionReview, lines: Sequence[_Line]) -> Card:
    named = _named(context, lines)
    card = make_card(
        context,
        CardBasis(
            rule="session",
            findings=tuple(_finding(line) for line in lines),
            against=any(line.level != _DUE for line in lines),
        ),
        summary=_summary(context, lines, named),
        indicator=min((line.indicator for line in lines), key=_WORST_FIRST.index),
        parts=["\n".join(_detail(context, review, lines, named)), _basis(context, review, lines)],
        sources=_sources(lines),
    )
    suggestions = tuple(_suggestions(context, lines))
    if not suggestions:
        return card
    return replace(card, suggestions=suggestions, selection_behavior=ANY if len(suggestions) > 1 else AT_MOST_ONE)


def _finding(line: _Line) -> Finding:
    """What the card shows, by which an override recognises it."""
    rule = line.reason.rule.id if line.reason else "unread"
    verdict = Verdict.MET if line.reason and not line.reason.hit.possible else Verdict.UNKNOWN
    evidence = line.reason.hit.evidence if line.reason else ()
    return Finding(criterion=f"session.{rule}", verdict=verdict, because=line.short, evidence=evidence)


# The summary


def _named(context: CardContext, lines: Sequence[_Line]) -> int:
    """How many of the worst reasons the summary names with what to do: all of one course's that fit.

    None where the courses have different reasons to stop or to hold: then the detail says what to do for each.
    """
    if _by_course(lines):
        return 0
    worst = [line for line in lines if line.level == lines[0].level and line.treatments == lines[0].treatments]
    for count in range(len(worst), 1, -1):
        if len(_sentence(context, lines, count)) <= MAX_SUMMARY_LENGTH:
            return count
    return 1


def _by_course(lines: Sequence[_Line]) -> tuple[_Line, ...]:
    """The worst reason to stop or to hold for each course, if they are not all the same; else empty."""
    grave = [line for line in lines if line.indicator == _WORST_FIRST[0]]
    treatments = dict.fromkeys(treatment for line in grave for treatment in line.treatments)
    worst = dict.fromkeys(next(line for line in grave if treatment in line.treatments) for treatment in treatments)
    return tuple(worst) if len(worst) > 1 else ()


def _summary(context: CardContext, lines: Sequence[_Line], named: int) -> str:
    """The first wording that fits, from the fullest on: never one that is cut."""
    words, by_course = context.knowledge.sessions.words, _by_course(lines)
    if not by_course:
        plain_reason = words.no_action.format(before=_before(context, lines[0].treatments), reasons=lines[0].short)
        return _fitting(_sentence(context, lines, named), plain_reason)
    before = _before(context, dict.fromkeys(treatment for line in by_course for treatment in line.treatments))
    reasons = [
        words.reason_of.format(short=line.short, treatments=", ".join(_names(context, line.treatments)))
        for line in by_course
    ]
    more = [reasons[0], words.more.format(count=len(reasons) - 1)]
    return _fitting(
        words.several.format(before=before, reasons="; ".join(reasons)),
        words.no_action.format(before=before, reasons="; ".join(reasons)),
        words.no_action.format(before=before, reasons="; ".join(more)),
    )


def _fitting(*wordings: str) -> str:
    return next((wording for wording in wordings if len(wording) <= MAX_SUMMARY_LENGTH), wordings[-1])


def _sentence(context: CardContext, lines: Sequence[_Line], named: int) -> str:
    words = context.knowledge.sessions.words
    reasons = [line.short for line in lines[:named]]
    further = sum(line.level != _DUE or lines[0].level == _DUE for line in lines[named:])
    reasons += [words.more.format(count=further)] if further else []
    return words.summary.format(
        before=_before(context, lines[0].treatments), reasons="; ".join(reasons), action=lines[0].action.rstrip(".")
    )


def _before(context: CardContext, treatments: Iterable[str]) -> str:
    words = context.knowledge.sessions.words
    return words.before.format(treatments=f" {words.either} ".join(_names(context, treatments)))


def _names(context: CardContext, treatments: Iterable[str]) -> list[str]:
    return [context.knowledge.treatments[treatment].short for treatment in treatments]


# The detail


def _detail(context: CardContext, review: SessionReview, lines: Sequence[_Line], named: int) -> Iterator[str]:
    """Why the reasons of the summary count, then the other reasons with what to do, then what is due."""
    sessions = context.knowledge.sessions
    words, several = sessions.words, len(review.courses) > 1
    reasons = [line for line in lines if line.level != _DUE]
    shown = reasons[: sessions.most_lines]
    for place, line in enumerate(shown):
        if place < named:
            yield words.line_why.format(why=line.why)
        else:
            names = ", ".join(_names(context, line.treatments))
            phrase = words.line_of if several else words.line
            yield phrase.format(short=_capital(line.short), treatments=names, action=line.action)
    if others := list(dict.fromkeys(line.short for line in reasons[sessions.most_lines :])):
        yield words.others.format(shorts="; ".join(_shortened(others, sessions)))
    due = [line for line in lines if line.level == _DUE]
    if not reasons:
        yield from (words.line_why.format(why=line.why) for line in due[:named])
        due = due[named:]
    if due:
        yield words.due.format(shorts="; ".join(line.short for line in due))


def _shortened(shorts: Sequence[str], sessions: Sessions) -> list[str]:
    """The first phrases, and how many there are besides."""
    more = len(shorts) - sessions.most_others
    return [*shorts[: sessions.most_others], *([sessions.words.others_more.format(count=more)] if more > 0 else [])]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _basis(context: CardContext, review: SessionReview, lines: Sequence[_Line]) -> str:
    """The course, the sources, which limits are this product's own, and the disclaimer."""
    words = context.knowledge.sessions.words
    own = dict.fromkeys(
        line.reason.rule.about.replace("_", " ")
        for line in lines
        if line.reason and line.reason.rule.verification is Verification.DESIGN
    )
    sources = context.knowledge.sources
    cited = [sources[key].short or sources[key].citation.rstrip(".") for key in _sources(lines)]
    most = context.knowledge.sessions.most_lines
    parts = [
        _course(context, review),
        words.sources.format(sources=", ".join(cited[:most])) if cited else "",
        words.own_choice.format(matters=", ".join(list(own)[:most])) if own else "",
        context.words.disclaimer,
    ]
    return " ".join(part for part in parts if part)


def _course(context: CardContext, review: SessionReview) -> str:
    """How many sessions were given and when; where there are several courses the reasons name them."""
    if len(review.courses) > 1:
        return ""
    words, (course,) = context.knowledge.sessions.words, review.courses
    phrase = words.course if course.count > 1 else words.one_session
    return phrase.format(
        treatment=context.knowledge.treatments[course.treatment].short,
        count=course.count,
        first=_when(context, DaySpan(course.first, course.first)),
        last=_when(context, DaySpan(course.last, course.last)),
    )


def _sources(lines: Iterable[_Line]) -> tuple[str, ...]:
    keys = (key for line in lines if line.reason for key in line.reason.rule.sources)
    return tuple(dict.fromkeys(key for key in keys if key != "design"))


# What is due


def _suggestions(context: CardContext, lines: Iterable[_Line]) -> Iterator[Suggestion]:
    """The questionnaires that are due: of each group the one that is in use, else the first."""
    sessions = context.knowledge.sessions
    groups = dict.fromkeys(group for line in lines if line.reason for group in line.reason.rule.offers)
    chosen = dict.fromkeys(_in_use(context, group) for group in groups)
    for instrument in list(chosen)[: sessions.most_offers]:
        yield _suggestion(context, sessions, instrument)


def _in_use(context: CardContext, group: tuple[str, ...]) -> str:
    facts = context.decision.facts.named
    return next((name for name in group if isinstance(facts[f"scores.{name}.latest"].value, Measurement)), group[0])


def _suggestion(context: CardContext, sessions: Sessions, instrument: str) -> Suggestion:
    form = context.knowledge.instruments[instrument]
    order_context = OrderContext(patient_id=context.decision.record.patient_id, as_of=context.as_of)
    action = Action(
        type="create",
        description=sessions.words.description.format(instrument=form.short),
        resource=questionnaire(form) | order_context.head(),
    )
    label = sessions.words.label.format(instrument=form.short)
    return Suggestion(uuid=context.new_id(), label=label, actions=(action,))
