"""Recognises the instrument of a response, and the items that its linkIds denote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from fhir_plugin.errors import WrongQuestionnaire
from fhir_plugin.record import lenient
from fhir_plugin.record.resources import (
    Questionnaire,
    QuestionnaireItem,
    QuestionnaireResponse,
    ResponseAnswer,
    ResponseItem,
)
from mappings.schema.instruments import Instruments, PreparedInstrument, link_id

AnsweredItem = tuple[str, tuple[ResponseAnswer, ...]]
"""A linkId and its answers."""

_NOT_ALPHANUMERIC = re.compile(r"[^a-z0-9]+")
_LOINC_AT_END = re.compile(r"(?:^|/)(\d{1,7}-\d)$")
_MAX_DEPTH = 64


class RecognisedForm(NamedTuple):
    """The instrument to score and the meaning of the linkIds."""

    form: PreparedInstrument
    by_link: Mapping[str, int]
    totals: frozenset[str]
    questions: Mapping[str, QuestionnaireItem]
    """Items of the Questionnaire by linkId, if one was supplied."""


RecognitionCache = dict[tuple[str | None, tuple[str, ...]], RecognisedForm]
"""Earlier results, by questionnaire and linkIds: a record has many responses to few questionnaires."""


def answered_items(response: QuestionnaireResponse) -> list[AnsweredItem]:
    """Every item of the response at any depth, including those below an answer."""
    items: list[AnsweredItem] = []
    _collect(response.item, items, _MAX_DEPTH)
    return items


def _collect(items: tuple[ResponseItem, ...], answered: list[AnsweredItem], depth: int) -> None:
    if not depth:
        return
    for item in items:
        if item.link_id:
            answered.append((item.link_id, item.answer))
        if item.item:
            _collect(item.item, answered, depth - 1)
        for answer in item.answer:
            if answer.item:
                _collect(answer.item, answered, depth - 1)


def recognise(
    response: QuestionnaireResponse,
    answered: Iterable[AnsweredItem],
    instruments: Instruments,
    questionnaire: Questionnaire | None,
    cache: RecognitionCache | None = None,
) -> RecognisedForm:
    """Recognise the instrument by its questionnaire, else by its items; :class:`WrongQuestionnaire` if it is unknown.

    ``cache`` keeps the results for responses without a Questionnaire.
    """
    questionnaire = questionnaire or contained_questionnaire(response)
    links = tuple([link for link, _ in answered])
    if cache is None or questionnaire:
        return _recognised(response, links, instruments, questionnaire)
    key = response.questionnaire, links
    recognised = cache.get(key)
    if recognised is None:
        recognised = cache[key] = _recognised(response, links, instruments, None)
    return recognised


def _recognised(
    response: QuestionnaireResponse,
    links: tuple[str, ...],
    instruments: Instruments,
    questionnaire: Questionnaire | None,
) -> RecognisedForm:
    questions = {item.link_id: item for item in _questions(questionnaire) if item.link_id}
    known_links = instruments.links
    keys = [link if link in known_links and not questions else _key(link, questions, instruments) for link in links]
    form = instruments.forms[_instrument_name(response, keys, instruments, questionnaire)]
    by_link = {link: form.by_link[key] for link, key in zip(links, keys, strict=True) if key in form.by_link}
    by_link, totals = _with_named_styles(form, response.questionnaire or "", by_link)
    totals |= {link for link, question in questions.items() if any(code.code in totals for code in question.code)}
    return RecognisedForm(form, by_link, frozenset(totals), questions)


def _instrument_name(
    response: QuestionnaireResponse,
    keys: Sequence[str],
    instruments: Instruments,
    questionnaire: Questionnaire | None,
) -> str:
    """The instrument by the name of the questionnaire, else by its items."""
    name = _by_name(response, questionnaire, instruments)
    if name is None or not any(key in instruments.forms[name].by_link for key in keys):
        # A questionnaire may have the panel code of another instrument: its items are more reliable.
        name = _by_items(keys, instruments) or name
    if name is None:
        raise WrongQuestionnaire(
            "QuestionnaireResponse: no instrument is recognised by its questionnaire or by its linkIds; "
            "supply the Questionnaire with LOINC item codes (--questionnaire)"
        )
    return name


def contained_questionnaire(response: QuestionnaireResponse) -> Questionnaire | None:
    """The Questionnaire contained in the response."""
    return next(lenient.decode_all(response.contained, Questionnaire), None)


def _questions(questionnaire: Questionnaire | None) -> Iterator[QuestionnaireItem]:
    pending = list(questionnaire.item) if questionnaire else []
    while pending:
        item = pending.pop()
        yield item
        pending.extend(item.item)


def _key(link: str, questions: Mapping[str, QuestionnaireItem], instruments: Instruments) -> str:
    """The linkId that the instruments use: itself, the code of its question, or the LOINC code at its end."""
    question = questions.get(link)
    if question:
        for coding in question.code:
            if coding.code and coding.code in instruments.links:
                return coding.code
    if link not in instruments.links and (end := _LOINC_AT_END.search(link)):
        return end[1]
    return link


def _by_name(
    response: QuestionnaireResponse, questionnaire: Questionnaire | None, instruments: Instruments
) -> str | None:
    names = [_last_part(response.questionnaire)]
    if questionnaire:
        names += [code.code or "" for code in questionnaire.code]
        names += [_last_part(questionnaire.url), questionnaire.title or ""]
    for text in names:
        plain = _NOT_ALPHANUMERIC.sub("", text.lower())
        for part, identifier in instruments.names if plain else ():
            if part in plain and not any(name in plain for name in instruments[identifier].not_names):
                return identifier
    return None


def _last_part(canonical: str | None) -> str:
    return (canonical or "").partition("|")[0].rstrip("/").rpartition("/")[2].rpartition(":")[2]


def _by_items(keys: Iterable[str], instruments: Instruments) -> str | None:
    """The smallest instrument that contains every scored item of the response."""
    scored = {key for key in keys if key in instruments.links}
    if not scored:
        return None
    candidates = set.intersection(*(set(instruments.links[key]) for key in scored))
    return min(candidates, key=lambda name: (len(instruments.forms[name].items), name), default=None)


def _with_named_styles(
    form: PreparedInstrument, canonical: str, by_link: dict[str, int]
) -> tuple[dict[str, int], frozenset[str]]:
    """Add the linkIds that denote this instrument only in the questionnaire with that canonical URL."""
    totals = form.totals
    for named in form.instrument.named_link_styles:
        if canonical.partition("|")[0].endswith(named.questionnaire):
            for place, item in enumerate(form.instrument.items):
                by_link[link_id(named.style, item.number, item.code)] = place
            totals |= {named.total} if named.total else set()
    return by_link, totals
