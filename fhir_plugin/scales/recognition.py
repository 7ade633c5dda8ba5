"""Recognises the instruments of a response, and the items that its linkIds denote.

The items decide, the name of the form only where they leave a choice: a form called ``phq2phq9`` or ``intake`` with the
nine items of a PHQ-9 and the seven of a GAD-7 holds both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

import msgspec

from fhir_plugin.errors import WrongQuestionnaire
from fhir_plugin.record import lenient
from fhir_plugin.record.resources import (
    Questionnaire,
    QuestionnaireItem,
    QuestionnaireResponse,
    ResponseAnswer,
)
from fhir_plugin.scales.choosing import ListedItem, chosen_instruments, place_of
from fhir_plugin.scales.numbered import numbered_items
from mappings.schema.base.kept import Kept
from mappings.schema.instruments import Instruments, PreparedInstrument, plain_link, plain_words


class AnsweredItem(msgspec.Struct, frozen=True, gc=False):
    """One item of a response."""

    link: str
    """The linkId; the question itself where the response has lost the linkId."""
    answers: tuple[ResponseAnswer, ...]
    text: str = ""
    """The question, if the response repeats it."""


_NOT_ALPHANUMERIC = re.compile(r"[^a-z0-9]+")
_LOINC_AT_END = re.compile(r"(?:^|/)(\d{1,7}-\d)$")


class RecognisedForm(NamedTuple):
    """One instrument of the response and the meaning of the linkIds."""

    form: PreparedInstrument
    by_link: Mapping[str, int]
    totals: frozenset[str]
    questions: Mapping[str, QuestionnaireItem]
    """Items of the Questionnaire by linkId, if one was supplied."""


class _Layout(msgspec.Struct, frozen=True, gc=False):
    """What a response without a Questionnaire is recognised by: its form, and which of its items are answered."""

    questionnaire: str | None
    items: tuple[tuple[str, bool, str], ...]
    """The linkId, whether it is answered, and the question where the linkId is not known."""

    @property
    def letters(self) -> int:
        """How many letters it holds."""
        return len(self.questionnaire or "") + sum(len(link) + len(text) for link, _, text in self.items)


_MOST_LAYOUTS, _MOST_LETTERS = 512, 4_000


@lru_cache(maxsize=8)
def _recognised_before(_: Instruments) -> Kept[_Layout, tuple[RecognisedForm, ...]]:
    """What was recognised in earlier responses: a site has few forms, and their layout tells nothing of the patient."""
    return Kept(attrgetter("letters"), _MOST_LAYOUTS, _MOST_LETTERS)


def answered_items(response: QuestionnaireResponse) -> list[AnsweredItem]:
    """Every item of the response at any depth, including those below an answer."""
    answered: list[AnsweredItem] = []
    waiting = [*reversed(response.item)]
    while waiting:
        item = waiting.pop()
        link, text, answers = item.link_id, item.text or "", item.answer
        if link or text:
            answered.append(AnsweredItem(link or text, answers, text))
        for answer in reversed(answers):
            if answer.item:
                waiting += reversed(answer.item)
        if item.item:
            waiting += reversed(item.item)
    return answered


def recognise(
    response: QuestionnaireResponse,
    answered: Iterable[AnsweredItem],
    instruments: Instruments,
    questionnaire: Questionnaire | None,
) -> tuple[RecognisedForm, ...]:
    """The instruments in the response, the one with the most items first; :class:`WrongQuestionnaire` if none."""
    known = instruments.links
    items = tuple([(it.link, bool(it.answers), "" if it.link in known else it.text) for it in answered])
    layout = _Layout(response.questionnaire, items)
    questionnaire = questionnaire or contained_questionnaire(response)
    if questionnaire:
        recognised = _recognised(layout, instruments, questionnaire)
    else:
        recognised = _recognised_before(instruments).of(layout, lambda layout: _recognised(layout, instruments, None))
    if not recognised:
        raise WrongQuestionnaire(
            "QuestionnaireResponse: no instrument is recognised by its questionnaire or by its linkIds; "
            "supply the Questionnaire with LOINC item codes (--questionnaire)"
        )
    return recognised


def _recognised(
    layout: _Layout, instruments: Instruments, questionnaire: Questionnaire | None
) -> tuple[RecognisedForm, ...]:
    questions = {item.link_id: item for item in _questions(questionnaire) if item.link_id}
    named = _named(layout.questionnaire, questionnaire, instruments)
    own = _own_links(named, layout.questionnaire or "", instruments)
    listed = [
        ListedItem(link, _key(link, text, questions, instruments), answered) for link, answered, text in layout.items
    ]
    for name, links in numbered_items(listed, named, instruments).items():
        own.links.setdefault(name, {}).update(links)
    chosen = chosen_instruments(listed, named, own.links, instruments) or _with_total(layout, instruments)
    return tuple([_form_of(instruments.forms[name], listed, own, questions) for name in chosen])


def _form_of(
    form: PreparedInstrument,
    listed: Iterable[ListedItem],
    own: _OwnLinks,
    questions: Mapping[str, QuestionnaireItem],
) -> RecognisedForm:
    """What the linkIds of the items mean in one instrument."""
    name = form.instrument.id
    links = own.links.get(name, {})
    placed = ((item.link, place_of(item, links, form.by_link)) for item in listed)
    by_link = {link: place for link, place in placed if place is not None}
    totals = form.totals | own.totals.get(name, frozenset())
    totals |= {item.link for item in listed if plain_link(item.link) in form.totals}
    totals |= {link for link, question in questions.items() if any(code.code in totals for code in question.code)}
    return RecognisedForm(form, by_link, totals, questions)


def _with_total(layout: _Layout, instruments: Instruments) -> tuple[str, ...]:
    """The instruments of which at least the total was answered."""
    answered = {plain_link(link) for link, is_answered, _ in layout.items if is_answered}
    return tuple(name for name, form in instruments.forms.items() if not answered.isdisjoint(form.totals))


def contained_questionnaire(response: QuestionnaireResponse) -> Questionnaire | None:
    """The Questionnaire contained in the response."""
    return next(lenient.decode_all(response.contained, Questionnaire), None) if response.contained else None


def _questions(questionnaire: Questionnaire | None) -> Iterator[QuestionnaireItem]:
    pending = list(questionnaire.item) if questionnaire else []
    while pending:
        item = pending.pop()
        yield item
        pending.extend(item.item)


def _key(link: str, text: str, questions: Mapping[str, QuestionnaireItem], instruments: Instruments) -> str:
    """The linkId that the instruments use: itself, the code or words of its question, or the LOINC code at its end."""
    links, question = instruments.links, questions.get(link)
    if question:
        for coding in question.code:
            if coding.code and coding.code in links:
                return coding.code
    if link in links:
        return link
    if (end := _LOINC_AT_END.search(link)) and end[1] in links:
        return end[1]
    if (plain := plain_link(link)) in links:
        return plain
    return instruments.by_wording.get(plain_words(text or (question.text if question else "") or ""), link)


def _named(canonical: str | None, questionnaire: Questionnaire | None, instruments: Instruments) -> tuple[str, ...]:
    """The instruments that the questionnaire is named after, in the order of its names."""
    names = [_last_part(canonical)]
    if questionnaire:
        names += [code.code or "" for code in questionnaire.code]
        names += [_last_part(questionnaire.url), questionnaire.title or ""]
    named: list[str] = []
    for text in names:
        plain = _NOT_ALPHANUMERIC.sub("", text.lower())
        left = plain
        for part, identifier in instruments.names if plain else ():
            if part in left and not any(name in plain for name in instruments[identifier].not_names):
                named.append(identifier)
                left = left.replace(part, " ")  # "cadss6" is not "cadss" as well
    return tuple(dict.fromkeys(named))


def _last_part(canonical: str | None) -> str:
    return (canonical or "").partition("|")[0].rstrip("/").rpartition("/")[2].rpartition(":")[2]


class _OwnLinks(NamedTuple):
    """LinkIds that denote an item, or a total, only in this questionnaire; by instrument."""

    links: dict[str, dict[str, int]]
    totals: dict[str, frozenset[str]]


def _own_links(named: tuple[str, ...], canonical: str, instruments: Instruments) -> _OwnLinks:
    address = canonical.partition("|")[0]
    own = _OwnLinks({}, {})
    for style in instruments.named_styles:
        applies = address.endswith(style.questionnaire) if style.questionnaire else style.instrument in named
        if applies:
            own.links.setdefault(style.instrument, {}).update(style.links)
            own.totals[style.instrument] = own.totals.get(style.instrument, frozenset()) | style.totals
    return own
