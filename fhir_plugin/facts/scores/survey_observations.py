"""Observations that hold scores: totals, panels with members, components, or single items."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter

import msgspec

from fhir_plugin.facts.scores.survey_codes import own_codes, survey_codes
from fhir_plugin.record.datatypes import CodeableConcept
from fhir_plugin.record.resources import Observation, ObservationComponent, ResponseAnswer
from fhir_plugin.scales.answers import AnswerFault, answer_value
from fhir_plugin.scales.scoring import Score, recorded_level, recorded_total, score_values
from mappings.schema.instruments import Instruments, PreparedInstrument
from mappings.schema.instruments.model import Risk

USABLE_STATUSES = ("final", "amended", "corrected")
VOID_STATUSES = ("entered-in-error", "cancelled")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"[a-z]+")
_MAX_DEPTH = 3
_ITEM = ""
"""In place of the head of an instrument."""
_UNREADABLE = "total_unreadable"
_NO_ANSWER = "unknown_answer"

Coded = Observation | ObservationComponent


class GatheredAnswers(msgspec.Struct):
    """The answers of one administration of an instrument, gathered from its Observations."""

    form: PreparedInstrument
    instruments: Instruments
    sources: list[Observation]
    known: set[Observation] = set()
    """The same as a set, where there are members to be found."""
    totals: list[float] = []
    """Every total as recorded; more than one where they may contradict each other."""
    level: str | None = None
    items: dict[int, int | AnswerFault] = {}
    """Values by position of the item."""
    flags: list[str] = []
    unread_panel: bool = False
    """Whether the panel itself has a value that is no total."""

    @property
    def total(self) -> float | None:
        """The highest of the totals."""
        return max(self.totals, default=None)


def gather_scores(
    observations: Sequence[Observation], instruments: Instruments, sex: str | None = None
) -> Iterator[tuple[GatheredAnswers, Score]]:
    """Every administration that these Observations record, with its score; void Observations are skipped."""
    valid = [observation for observation in observations if observation.status not in VOID_STATUSES]
    gathered, others = _gathered(valid, instruments)
    members = {id(source) for answers in gathered for source in answers.sources[1:]}
    used = {id(source) for answers in gathered for source in answers.sources}
    whole = (answers for answers in gathered if id(answers.sources[0]) not in members)
    unused = [observation for observation in others if id(observation) not in used]
    for answers in (*whole, *_loose_items(unused, instruments)):
        if _has_content(answers):
            yield answers, _scored(answers, sex)


def _has_content(answers: GatheredAnswers) -> bool:
    found = bool(answers.totals or answers.items) or answers.level is not None
    if answers.unread_panel and not found:
        answers.flags.append(_UNREADABLE)
    return found or bool(answers.flags)


def _gathered(
    valid: Sequence[Observation], instruments: Instruments
) -> tuple[list[GatheredAnswers], list[Observation]]:
    """The answers below each head of an instrument, and the other Observations that may be items."""
    panels = any(map(attrgetter("has_member"), valid))
    by_reference = {observation.reference: observation for observation in valid if observation.id} if panels else {}
    heads: dict[CodeableConcept | None, str | None] = {}
    gathered: list[GatheredAnswers] = []
    others: list[Observation] = []
    for observation in valid:
        code = observation.code
        if code not in heads:
            heads[code] = _headed_by(code, instruments)
        head = heads[code]
        if head is None:
            continue
        if head == _ITEM:
            others.append(observation)
            continue
        answers = GatheredAnswers(instruments.forms[head], instruments, [])
        _add_observation(observation, answers, by_reference, _MAX_DEPTH)
        gathered.append(answers)
    return gathered, others


def _headed_by(code: CodeableConcept | None, instruments: Instruments) -> str | None:
    """The instrument of which the code is a head; ``_ITEM`` if it may be an item of one; ``None`` if neither."""
    codes = survey_codes(code, instruments)
    names = [instruments.heads[code] for code in codes if code in instruments.heads]
    if names:
        return names[0]
    return None if instruments.links.keys().isdisjoint(codes) else _ITEM


def _add_observation(
    observation: Observation, answers: GatheredAnswers, by_reference: Mapping[str, Observation], depth: int
) -> None:
    answers.sources.append(observation)
    if by_reference:
        answers.known.add(observation)
    if observation.status not in USABLE_STATUSES:
        answers.flags.append(f"status:{observation.status or 'missing'}")
    _add_value(observation, answers)
    for component in observation.component:
        _add_value(component, answers)
    for member in observation.has_member if depth else ():
        target = by_reference.get("/".join((member.reference or "").rsplit("/", 2)[-2:]))
        if target and target not in answers.known:
            _add_observation(target, answers, by_reference, depth - 1)


def _add_value(coded: Coded, answers: GatheredAnswers) -> None:
    panel = answers.form.instrument.loinc.panel if answers.form.instrument.loinc else None
    for code in survey_codes(coded.code, answers.instruments):
        if code in answers.form.totals:
            _add_total(coded, answers)
        elif code == panel:
            _add_panel_value(coded, answers)
        elif code in answers.form.by_link:
            place = answers.form.by_link[code]
            given = tuple(_answers(coded))
            value = answer_value(given, answers.form.items[place], None)
            if not given and coded.data_absent_reason is None:
                value = AnswerFault(_NO_ANSWER)
            if value is not None:
                answers.items[place] = value


def _add_panel_value(coded: Coded, answers: GatheredAnswers) -> None:
    """Some servers write the total, or the level, as the value of the panel itself."""
    is_level = isinstance(answers.form.instrument.formula, Risk) and bool(own_codes(coded.value_codeable_concept))
    if is_level or _number(coded) is not None:
        _add_total(coded, answers)
    elif coded.value_quantity or coded.value_string or coded.value_codeable_concept:
        answers.unread_panel = True


def _add_total(coded: Coded, answers: GatheredAnswers) -> None:
    formula = answers.form.instrument.formula
    if isinstance(formula, Risk):
        _add_level(coded, answers, formula)
        return
    number = _number(coded)
    low, high = answers.form.instrument.range or (0, 0)
    if number is None:
        if _should_have_value(coded):
            answers.flags.append(_UNREADABLE)
    elif not low <= number <= high:
        answers.flags.append("out_of_range:total")
    elif number != int(number):
        answers.flags.append("not_an_integer:total")
    else:
        answers.totals.append(number)


def _add_level(coded: Coded, answers: GatheredAnswers, formula: Risk) -> None:
    codes = set(own_codes(coded.value_codeable_concept))
    levels = (level.name for level in formula.levels if level.code in codes)
    none = formula.otherwise if f"{answers.form.instrument.id}-none" in codes else None
    answers.level = next(levels, none) or _level_in_words(coded, formula)
    if answers.level is None and _should_have_value(coded):
        answers.flags.append(_UNREADABLE)


def _level_in_words(coded: Coded, formula: Risk) -> str | None:
    """The only level that the value names in words, such as ``High risk``."""
    concept = coded.value_codeable_concept
    words = set(_WORD.findall(((concept.label if concept else coded.value_string) or "").lower()))
    named = [level.name for level in formula.levels if level.name in words]
    return named[0] if len(named) == 1 else None


def _should_have_value(coded: Coded) -> bool:
    """Whether it has a value, or lacks one without a reason; what only holds others together needs none."""
    if coded.value_quantity or coded.value_string or coded.value_codeable_concept:
        return True
    holds_others = isinstance(coded, Observation) and bool(coded.has_member or coded.component)
    return coded.data_absent_reason is None and not holds_others


def _number(coded: Coded) -> float | None:
    if coded.value_integer is not None:
        return coded.value_integer
    if coded.value_decimal is not None:
        return coded.value_decimal
    if coded.value_quantity:
        return None if coded.value_quantity.comparator else coded.value_quantity.value
    if coded.value_string and _NUMBER.fullmatch(coded.value_string.strip()):
        return float(coded.value_string)
    return None


def _answers(coded: Coded) -> Iterator[ResponseAnswer]:
    concept = coded.value_codeable_concept
    for coding in concept.coding if concept else ():
        yield ResponseAnswer(value_coding=coding)
    if concept and concept.text and not concept.coding:
        yield ResponseAnswer(value_string=concept.text)
    if (number := _number(coded)) is not None:
        yield ResponseAnswer(value_decimal=number)
    elif coded.value_string:
        yield ResponseAnswer(value_string=coded.value_string)
    elif coded.value_boolean is not None:
        yield ResponseAnswer(value_boolean=coded.value_boolean)


def _loose_items(observations: Iterable[Observation], instruments: Instruments) -> Iterator[GatheredAnswers]:
    """Single items outside any panel, grouped by the time of observation."""
    moments: dict[str, list[Observation]] = {}
    for observation in observations:
        moments.setdefault(moment_of(observation) or observation.reference, []).append(observation)
    for together in moments.values():
        codes = {
            code for item in together for code in survey_codes(item.code, instruments) if code in instruments.links
        }
        while codes:
            candidates = set(instruments.links[next(iter(sorted(codes)))])
            form = instruments.forms[max(candidates, key=lambda name: (_fit(instruments.forms[name], codes), name))]
            answers = GatheredAnswers(form, instruments, [])
            for item in together:
                if codes.intersection(survey_codes(item.code, instruments)) & form.by_link.keys():
                    _add_observation(item, answers, {}, 0)
            codes -= form.by_link.keys()
            yield answers


def _fit(form: PreparedInstrument, codes: set[str]) -> tuple[int, int]:
    """How many of the codes the form has, and the negative number of its items: the smaller form wins a tie."""
    return len(codes & form.by_link.keys()), -len(form.items)


def moment_of(observation: Observation) -> str | None:
    """The time of observation, as written."""
    period = observation.effective_period
    return (
        observation.effective_date_time
        or observation.effective_instant
        or (period.end or period.start if period else None)
    )


def _scored(answers: GatheredAnswers, sex: str | None) -> Score:
    """The score from complete items, else the total or the level as recorded; other totals are flagged."""
    scored = _score_of(answers, sex)
    if all(total == scored.total for total in answers.totals):
        return scored
    lower = sorted({total for total in answers.totals if total != scored.total}) if scored.total is not None else []
    told = {f"stored_total_mismatch:{total:g}" for total in lower} & {*scored.flags}
    new = () if told else tuple(contradictory_flag(total) for total in lower)
    return msgspec.structs.replace(scored, flags=(*scored.flags, *new)) if new else scored


def contradictory_flag(total: float) -> str:
    """The flag of a score beside which another total of the same time is recorded."""
    return f"contradictory_total:{total:g}"


def _score_of(answers: GatheredAnswers, sex: str | None) -> Score:
    instrument, total = answers.form.instrument, answers.total
    flags = [*dict.fromkeys(answers.flags)]
    if total is not None and not answers.items:
        return recorded_total(instrument, total, None, flags, sex)
    read = [answers.items.get(place) for place in range(len(answers.form.items))]
    flags += [
        f"{value}:{item.key}"
        for value, item in zip(read, answers.form.items, strict=True)
        if isinstance(value, AnswerFault)
    ]
    values = [None if isinstance(value, AnswerFault) else value for value in read]
    from_items = score_values(instrument, values, flags, sex=sex, stored=total)
    if from_items.total is not None or (total is None and answers.level is None):
        return from_items
    if total is not None:
        return recorded_total(instrument, total, from_items, flags, sex)
    return recorded_level(instrument, answers.level, from_items, flags)
