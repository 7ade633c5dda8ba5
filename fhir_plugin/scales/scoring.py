"""Scores one questionnaire: a total only if every scored item has a valid answer.

Pure: the same response and the same knowledge give the same score.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec

from fhir_plugin.record.resources import Questionnaire, QuestionnaireResponse, ResponseAnswer
from fhir_plugin.scales.answers import AnswerFault, answer_value, highest_claim, is_counted_from_zero
from fhir_plugin.scales.formulas import FormulaResult, Values, band_of, evaluate, prorated
from fhir_plugin.scales.recognition import AnsweredItem, RecognisedForm, answered_items, recognise
from mappings.schema.instruments import Instruments
from mappings.schema.instruments.model import Instrument

USABLE_STATUSES = ("completed", "amended")
_ENTERED_IN_ERROR = "entered-in-error"


class Score(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The score of one questionnaire."""

    instrument: str
    """Instrument id, such as ``phq9``."""
    total: int | None
    """``None`` if there is no valid total; the flags state why."""
    severity: str | None
    """Name of the band, or the risk level of an instrument without a total."""
    items: dict[str, int | None]
    """Value by LOINC code, or by ``item10`` if the item has no known code."""
    flags: tuple[str, ...] = ()
    lower_bound: int | None = None
    """Sum of the answered items, if items are missing."""
    stored_total: float | None = None
    """The total in the response itself."""
    suicide_positive: bool | None = None
    """``None``: the instrument has no suicide item, or it was not answered."""


def score(
    response: QuestionnaireResponse,
    instruments: Instruments,
    questionnaire: Questionnaire | None = None,
    *,
    sex: str | None = None,
    prorate: bool = False,
) -> Score:
    """Score the instrument with the most items of a response; see :func:`score_all`."""
    return score_all(response, instruments, questionnaire, sex=sex, prorate=prorate)[0]


def score_all(
    response: QuestionnaireResponse,
    instruments: Instruments,
    questionnaire: Questionnaire | None = None,
    *,
    sex: str | None = None,
    prorate: bool = False,
) -> tuple[Score, ...]:
    """Score every instrument in a response; :class:`~fhir_plugin.errors.WrongQuestionnaire` if none is known.

    ``sex`` is FHIR ``Patient.gender``; ``prorate`` allows a total despite missing items, up to the number that the
    instrument allows (off unless a site enables it).
    """
    answered = answered_items(response)
    forms = recognise(response, answered, instruments, questionnaire)
    return tuple([_score_of(response, answered, form, sex=sex, prorate=prorate) for form in forms])


def _score_of(
    response: QuestionnaireResponse,
    answered: Sequence[AnsweredItem],
    recognised: RecognisedForm,
    *,
    sex: str | None,
    prorate: bool,
) -> Score:
    if response.status == _ENTERED_IN_ERROR:
        return Score(
            instrument=recognised.form.instrument.id,
            total=None,
            severity=None,
            items={},
            flags=(f"status:{_ENTERED_IN_ERROR}",),
        )
    plain = _plain_values(answered, recognised)
    values, flags, claimed = (plain, [], 0) if plain else _values(answered, recognised)
    stored = _stored_total(answered, recognised)
    if response.status is None:
        flags.append("status_missing")
    elif response.status not in USABLE_STATUSES:
        flags.append(f"status:{response.status}")
    if flags[:1] == ["linkid_map_required"] and stored is not None:
        return _total_alone(recognised.form.instrument, stored, flags[1:], sex)
    return score_values(
        recognised.form.instrument, values, flags, sex=sex, prorate=prorate, stored=stored, claimed=claimed
    )


def _total_alone(instrument: Instrument, stored: float, flags: list[str], sex: str | None) -> Score:
    """The score of a form of which only the total is known; it tells nothing of the suicide item."""
    low, high = instrument.range or (0, 0)
    if not (low <= stored <= high and stored == int(stored)):
        flags = [*flags, "out_of_range:total"]
    told = recorded_total(instrument, stored, None, flags, sex)
    return msgspec.structs.replace(told, suicide_positive=None)


def score_values(
    instrument: Instrument,
    values: Values,
    flags: Sequence[str] = (),
    *,
    sex: str | None = None,
    prorate: bool = False,
    stored: float | None = None,
    claimed: int = 0,
) -> Score:
    """Score the item values, one per item in the instrument's order; ``flags`` come from reading the answers.

    ``claimed`` is the highest of several answers to the suicide item that contradict each other.
    """
    result = evaluate(instrument, values)
    usable = not flags or _usable(flags)
    faulty = {flag.partition(":")[2] for flag in flags} if flags else frozenset()
    total = result.total
    all_flags = [*flags, instrument.flag] if instrument.flag else list(flags)
    unmapped = "linkid_map_required" in flags
    if blank := _blank(result.missing, faulty, unmapped=unmapped):
        all_flags += _missing_flags(instrument, result, blank)
        if prorate and (total := prorated(instrument, result)) is not None:
            all_flags.append("prorated")
    total = total if usable else None
    level = result.level if usable else None
    severity = level if total is None else band_of(instrument, total, sex)
    positive, suicide_flags = _suicide_result(instrument, values, result, faulty, claimed)
    all_flags += [] if unmapped else suicide_flags
    if total is not None:
        all_flags += (*_total_flags(instrument, values, total, sex), *_stored_flags(total, stored))
    return Score(
        instrument=instrument.id,
        total=total,
        severity=severity,
        items=dict(zip(instrument.keys, values, strict=True)),
        flags=tuple(all_flags),
        lower_bound=result.lower_bound if result.missing and instrument.range else None,
        stored_total=stored,
        suicide_positive=positive,
    )


def _blank(missing: Sequence[str], faulty: Collection[str], *, unmapped: bool) -> list[str]:
    """The items that count and were left blank; none is known where the answers belong to no known items."""
    return [] if unmapped else [key for key in missing if key not in faulty]


def recorded_total(
    instrument: Instrument, recorded: float, items: Score | None, flags: Sequence[str], sex: str | None = None
) -> Score:
    """The score of a total recorded without all of its items; ``items`` scores those that are known, if any."""
    total = int(recorded) if not flags else None
    positive = items.suicide_positive if items else None
    if instrument.suicide and instrument.suicide.positive_from and recorded < instrument.suicide.positive_from:
        positive = False  # no item is higher than the total
    all_flags = [*flags, "total_as_recorded"]
    if total is not None:
        all_flags += _total_flags(instrument, [], total, sex)
    if items:
        all_flags += [flag for flag in items.flags if flag.endswith(("_positive", "_urgent"))]
    return Score(
        instrument=instrument.id,
        total=total,
        severity=None if total is None else band_of(instrument, total, sex),
        items=items.items if items else dict.fromkeys(instrument.keys),
        flags=tuple(all_flags),
        stored_total=recorded,
        suicide_positive=positive,
    )


def recorded_level(instrument: Instrument, level: str | None, items: Score, flags: Sequence[str]) -> Score:
    """The score of a risk level recorded without all of its items."""
    return msgspec.structs.replace(
        items,
        severity=level if not flags else None,
        flags=(*flags, "level_as_recorded"),
        suicide_positive=level in instrument.suicide.levels if instrument.suicide else None,
    )


def _usable(flags: Sequence[str]) -> bool:
    """Whether the flags allow a total, at least a prorated one."""
    harmless = ("duplicate_identical", "extra_items_ignored", "status_missing")
    return all(flag in harmless for flag in flags)


def _plain_values(answered: Sequence[AnsweredItem], recognised: RecognisedForm) -> list[int | None] | None:
    """Fast path for typical responses: one listed answer per item and nothing else; ``None`` for any other response."""
    items, by_link = recognised.form.items, recognised.by_link
    values: list[int | None] = [None] * len(items)
    if recognised.questions or not answered:
        return None
    for item in answered:
        place, answers = by_link.get(item.link), item.answers
        coding = answers[0].value_coding if len(answers) == 1 else None
        if place is None or coding is None or values[place] is not None or coding.extension or answers[0].extension:
            return None
        values[place] = items[place].codes.get((coding.system, coding.code or ""))
        if values[place] is None:
            return None
    return values


def _values(answered: Sequence[AnsweredItem], recognised: RecognisedForm) -> tuple[list[int | None], list[str], int]:
    """The values, what was wrong with the answers, and the highest of contradictory answers to the suicide item."""
    form = recognised.form
    answers_of: list[tuple[ResponseAnswer, ...]] = [()] * len(form.items)
    question_of: dict[int, str] = {}
    flags: list[str] = []
    for given in answered:
        place = recognised.by_link.get(given.link)
        if place is not None:
            answers_of[place] += given.answers
            question_of[place] = given.link
        elif given.link in form.extra:
            flags.append("extra_items_ignored")
    if not question_of:
        flags.append("linkid_map_required")
    values: list[int | None] = []
    claimed, questions = 0, recognised.questions
    from_zero = is_counted_from_zero(answer for answers in answers_of for answer in answers)
    for place, item in enumerate(form.items):
        question = questions.get(question_of.get(place, "")) if questions else None
        value = answer_value(answers_of[place], item, question, from_zero=from_zero)
        if isinstance(value, AnswerFault):
            flags.append(f"{value}:{item.key}")
            if place == form.instrument.suicide_place:
                claimed = highest_claim(answers_of[place], item, question)
            value = None
        elif value is not None and len(answers_of[place]) > 1:
            flags.append("duplicate_identical")
        values.append(value)
    return values, list(dict.fromkeys(flags)), claimed


def _stored_total(answered: Sequence[AnsweredItem], recognised: RecognisedForm) -> float | None:
    for item in answered:
        if item.link in recognised.totals:
            for answer in item.answers:
                for value in (answer.value_integer, answer.value_decimal):
                    if value is not None:
                        return value
                if answer.value_quantity and answer.value_quantity.value is not None:
                    return answer.value_quantity.value
    return None


def _missing_flags(instrument: Instrument, result: FormulaResult, blank: Sequence[str]) -> Iterator[str]:
    yield "incomplete"
    for domain in result.missing_domains:
        yield f"incomplete:{domain}"
    if not result.missing_domains:
        for key in blank:
            yield f"missing:{key}"
    if instrument.range:
        yield f"lower_bound={result.lower_bound}"
    elif instrument.formula.kind == "risk" and result.level is None:
        yield f"treat_as_at_least={instrument.formula.when_incomplete}"


def _suicide_result(
    instrument: Instrument, values: Values, result: FormulaResult, faulty: Collection[str], claimed: int
) -> tuple[bool | None, list[str]]:
    rule = instrument.suicide
    if rule is None:
        return None, []
    place = instrument.suicide_place
    if place is None:
        if result.level is None:
            return (True, []) if any(values) else (None, ["suicide_risk_unknown"])
        return result.level in rule.levels, []
    value = values[place] if values[place] is not None else claimed or None
    if value is None:
        return None, [] if instrument.keys[place] in faulty else ["suicide_item_missing"]
    if rule.positive_from is None or value < rule.positive_from:
        return False, []
    flags = [f"item{rule.item}_positive"]
    if rule.urgent_from is not None and value >= rule.urgent_from:
        flags.append(f"item{rule.item}_urgent(>={rule.urgent_from})")
    return True, flags


def _total_flags(instrument: Instrument, values: Values, total: int, sex: str | None) -> Iterator[str]:
    yield from _remission_flags(instrument, total)
    for cutoff in instrument.cutoffs:
        if total >= cutoff.at_least:
            yield cutoff.flag
    if instrument.bands_by_sex and sex not in ("male", "female"):
        yield "sex_unknown"
    if values and (clusters := instrument.clusters):
        by_number = {item.number: value or 0 for item, value in zip(instrument.items, values, strict=True)}
        if all(
            sum(by_number[number] >= clusters.item_at_least for number in need.items) >= need.at_least
            for need in clusters.need
        ):
            yield clusters.flag


def _stored_flags(total: int, stored: float | None) -> Iterator[str]:
    if stored is not None and stored != total:
        yield f"stored_total_mismatch:{stored:g}"


def _remission_flags(instrument: Instrument, total: int) -> Iterator[str]:
    if remission := instrument.remission:
        if total <= remission.at_most:
            yield "below_remission_cutoff"
        for other in remission.alternatives:
            if remission.at_most < total <= other.at_most:
                yield f"below_alternative_remission_cutoff:{other.at_most}"
