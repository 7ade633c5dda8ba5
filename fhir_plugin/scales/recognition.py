"""Which instrument a response answers, and which of its items each linkId means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
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
"""A linkId and the answers that stand under it."""

_NOT_ALPHANUMERIC = re.compile(r"[^a-z0-9]+")
_LOINC_AT_END = re.compile(r"(?:^|/)(\d{1,7}-\d)$")
_MAX_DEPTH = 64


class RecognisedForm(NamedTuple):
    """The form that is scored and what its linkIds mean."""

    form: PreparedInstrument
    by_link: Mapping[str, int]
    totals: frozenset[str]
    questions: Mapping[str, QuestionnaireItem]
    """Items of the Questionnaire by linkId, where one was supplied."""


RecognitionCache = dict[tuple[str | None, tuple[str, ...]], RecognisedForm]
"""What was recognised before, by questionnaire and linkIds: a record holds many responses to few questionnaires."""


def answered_items(response: QuestionnaireResponse) -> list[AnsweredItem]:
    """Every item of the response at any depth, also those that stand under an answer."""
    found: list[AnsweredItem] = []
    _collect(response.item, found, _MAX_DEPTH)
    return found


def _collect(items: tuple[ResponseItem, ...], found: list[AnsweredItem], depth: int) -> None:
    if not depth:
        return
    for item in items:
        if item.link_id:
            found.append((item.link_id, item.answer))
        if item.item:
            _collect(item.item, found, depth - 1)
        for answer in item.answer:
            if answer.item:
                _collect(answer.item, found, depth - 1)


def recognise(
    response: QuestionnaireResponse,
    found: Iterable[AnsweredItem],
    instruments: Instruments,
    questionnaire: Questionnaire | None,
    seen: RecognitionCache | None = None,
) -> RecognisedForm:
    """The instrument by its questionnaire, else by its items; :class:`WrongQuestionnaire` where it is none of ours.

    ``seen`` remembers for the caller what was recognised without a Questionnaire.
    """
    questionnaire = questionnaire or contained_questionnaire(response)
    links = tuple([link for link, _ in found])
    if seen is None or questionnaire:
        return _recognised(response, links, instruments, questionnaire)
    shape = response.questionnaire, links
    known = seen.get(shape)
    if known is None:
        known = seen[shape] = _recognised(response, links, instruments, None)
    return known


def _recognised(
    response: QuestionnaireResponse,
    links: tuple[str, ...],
    instruments: Instruments,
    questionnaire: Questionnaire | None,
) -> RecognisedForm:
    questions = {item.link_id: item for item in _questions(questionnaire) if item.link_id}
    known = instruments.links
    keys = [link if link in known and not questions else _key(link, questions, instruments) for link in links]
    name = _by_name(response, questionnaire, instruments)
    if name is None or not any(key in instruments.forms[name].by_link for key in keys):
        # A questionnaire may carry the panel code of another instrument: its items know better.
        name = _by_items(keys, instruments) or name
    if name is None:
        raise WrongQuestionnaire(
            "QuestionnaireResponse: no instrument is recognised by its questionnaire or by its linkIds; "
            "supply the Questionnaire with LOINC item codes (--questionnaire)"
        )
    form = instruments.forms[name]
    by_link = {link: form.by_link[key] for link, key in zip(links, keys, strict=True) if key in form.by_link}
    by_link, totals = _with_named_styles(form, response.questionnaire or "", by_link)
    totals |= {link for link, question in questions.items() if any(code.code in totals for code in question.code)}
    return RecognisedForm(form, by_link, frozenset(totals), questions)


def contained_questionnaire(response: QuestionnaireResponse) -> Questionnaire | None:
    """The Questionnaire that the response brings along."""
    return next(lenient.decode_all(response.contained, Questionnaire), None)


def _questions(questionnaire: Questionnaire | None) -> Iterator[QuestionnaireItem]:
    waiting = list(questionnaire.item) if questionnaire else []
    while waiting:
        item = waiting.pop()
        yield item
        waiting.extend(item.item)


def _key(link: str, questions: Mapping[str, QuestionnaireItem], instruments: Instruments) -> str:
    """The linkId as the instruments know it: itself, the code its question has, or the LOINC code at its end."""
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
    said = [_last_part(response.questionnaire)]
    if questionnaire:
        said += [code.code or "" for code in questionnaire.code]
        said += [_last_part(questionnaire.url), questionnaire.title or ""]
    for text in said:
        plain = _NOT_ALPHANUMERIC.sub("", text.lower())
        for part, identifier in instruments.names if plain else ():
            if part in plain and not any(n in plain for n in instruments[identifier].not_names):
                return identifier
    return None


def _last_part(canonical: str | None) -> str:
    return (canonical or "").partition("|")[0].rstrip("/").rpartition("/")[2].rpartition(":")[2]


def _by_items(keys: Iterable[str], instruments: Instruments) -> str | None:
    """The smallest instrument that has every scored item which the response holds."""
    scored = {key for key in keys if key in instruments.links}
    if not scored:
        return None
    able = set.intersection(*(set(instruments.links[key]) for key in scored))
    return min(able, key=lambda name: (len(instruments.forms[name].items), name), default=None)


def _with_named_styles(
    form: PreparedInstrument, canonical: str, by_link: dict[str, int]
) -> tuple[dict[str, int], frozenset[str]]:
    """Add the linkIds that mean this instrument only in the questionnaire of that address."""
    totals = form.totals
    for named in form.instrument.named_link_styles:
        if canonical.partition("|")[0].endswith(named.questionnaire):
            for place, item in enumerate(form.instrument.items):
                by_link[link_id(named.style, item.number, item.code)] = place
            totals |= {named.total} if named.total else set()
    return by_link, totals
