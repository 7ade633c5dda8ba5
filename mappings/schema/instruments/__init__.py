"""How questionnaires are scored, banded and read: YAML files, checked at start. Knows no code list and no rule."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mappings.schema.base.entries import KnowledgeError
from mappings.schema.base.files import KNOWLEDGE, read_yaml
from mappings.schema.instruments.course_style import DrawingStyle, TrendWords
from mappings.schema.instruments.links import LinkStyles, NamedLinkStyle
from mappings.schema.instruments.model import (
    AnswerList,
    Instrument,
    InstrumentItem,
    ItemGroup,
    Option,
    SumOfMaxima,
    Variant,
)
from mappings.schema.instruments.signals import SuicideSignals

LOCAL_CODES = "urn:tandem-cds:instruments"
"""Code system of items and totals for which no LOINC code is known: ``madrs-total``, ``madrs-10``."""

QUESTIONNAIRES = "urn:tandem-cds:questionnaire"
"""Prefix of the canonical URL of our Questionnaires; the instrument id follows."""


@dataclass(frozen=True, slots=True)
class ScoredItem:
    """An item prepared for scoring: every known way of writing an answer, with its weight."""

    number: str
    key: str
    values: frozenset[int]
    """Valid weights."""
    numbers: Mapping[float, int]
    """Weight by bare number; empty if interpreting a number would be a guess."""
    codes: Mapping[tuple[str | None, str], int]
    """Weight by (system, code); system ``None`` if the answer names none."""
    words: Mapping[str, int]
    """Weight by display, as :func:`plain_words` writes it; one with digits as :func:`plain_phrase` does."""
    not_assessed: int | None


@dataclass(frozen=True, slots=True)
class PreparedInstrument:
    """An instrument with its items prepared for scoring."""

    instrument: Instrument
    items: tuple[ScoredItem, ...]
    by_link: Mapping[str, int]
    """Item position by linkId, for linkIds that mean the item in any questionnaire."""
    extra: frozenset[str]
    """LinkIds of additional items that are never summed."""
    totals: frozenset[str]
    """LinkIds and codes of a stored total."""


@dataclass(frozen=True, slots=True)
class NamedLinks:
    """LinkIds that mean an instrument only in one questionnaire, or only in one that is named after it."""

    instrument: str
    questionnaire: str
    """End of the canonical URL; empty: any that is named after the instrument."""
    links: Mapping[str, int]
    """Item position by linkId, as written here and as :func:`plain_link` writes it."""
    totals: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Instruments:
    """All instruments; frozen and picklable; equal only to itself, so that what follows from it can be kept."""

    forms: Mapping[str, PreparedInstrument]
    groups: Mapping[str, ItemGroup]
    answers: Mapping[str, AnswerList]
    names: tuple[tuple[str, str], ...]
    """(part of a questionnaire's name, instrument id), the longest part first."""
    links: Mapping[str, tuple[str, ...]]
    """The instruments that use a linkId for a scored item."""
    by_wording: Mapping[str, str]
    """LinkId by the published question, as :func:`plain_words` writes it, where a licence lets us know it."""
    named_styles: tuple[NamedLinks, ...]
    words_before_a_number: frozenset[str]
    """What may stand before the number of an item in a form that is named after the instrument."""
    words_of_a_total: frozenset[str]
    """What is said beside the name of an instrument where its total is meant."""
    other_totals: Mapping[tuple[str, str], str]
    """The code of a total, by the system and code that mean the same elsewhere."""
    heads: Mapping[str, str]
    """Instrument id by the code of its panel, total or risk level."""
    signals: SuicideSignals
    words: TrendWords
    drawing: DrawingStyle

    def __getitem__(self, instrument: str) -> Instrument:
        return self.forms[instrument].instrument

    def __iter__(self) -> Iterator[Instrument]:
        return (form.instrument for form in self.forms.values())

    def __contains__(self, instrument: object) -> bool:
        return instrument in self.forms

    def answer_list(self, instrument: Instrument, item: InstrumentItem) -> AnswerList:
        """The answers of one item."""
        return self.answers[item.answers or instrument.answers]


def load_instruments(folder: Path | None = None) -> Instruments:
    """Read every instrument of ``folder`` (ours by default); :class:`KnowledgeError` names the file at fault."""
    folder = folder or KNOWLEDGE / "instruments"
    answers = read_yaml(folder / "_answers.yaml", dict[str, AnswerList])
    groups = read_yaml(folder / "_groups.yaml", dict[str, ItemGroup])
    styles = read_yaml(folder / "_links.yaml", LinkStyles)
    forms: dict[str, PreparedInstrument] = {}
    for path in sorted(folder.glob("[!_]*.yaml")):
        if path.name.endswith(".cases.yaml"):
            continue
        instrument = read_yaml(path, Instrument)
        if instrument.id != path.stem:
            raise KnowledgeError(f"{path.name}: id: must be {path.stem!r}, the name of the file")
        variants = (_variant_instrument(instrument, variant) for variant in instrument.variants)
        for form_instrument in (instrument, *variants):
            _check(path.name, form_instrument, answers, groups)
            forms[form_instrument.id] = _prepared(form_instrument, answers, styles)
    names = sorted(
        ((name, form.instrument.id) for form in forms.values() for name in form.instrument.names),
        key=lambda pair: (-len(pair[0]), pair),
    )
    links: dict[str, tuple[str, ...]] = {}
    for identifier, form in forms.items():
        for link in form.by_link:
            links[link] = (*links.get(link, ()), identifier)
    return Instruments(
        forms,
        groups,
        answers,
        tuple(names),
        links,
        _by_wording(forms.values()),
        tuple(
            _named_links(form.instrument, style)
            for form in forms.values()
            for style in form.instrument.named_link_styles
        ),
        frozenset(styles.before_a_number),
        frozenset(styles.words_of_a_total),
        _other_totals(forms),
        {code: identifier for identifier, form in forms.items() for code in _head_codes(form)},
        read_yaml(folder / "_signals.yaml", SuicideSignals),
        read_yaml(folder / "_words.yaml", TrendWords),
        read_yaml(folder / "_drawing.yaml", DrawingStyle),
    )


def _other_totals(forms: Mapping[str, PreparedInstrument]) -> dict[tuple[str, str], str]:
    return {
        (other.system, other.code): f"{identifier}-total"
        for identifier, form in forms.items()
        for other in form.instrument.other_totals
    }


def _head_codes(form: PreparedInstrument) -> frozenset[str]:
    loinc = form.instrument.loinc
    return form.totals | {loinc.panel} if loinc and loinc.panel else form.totals


def _variant_instrument(instrument: Instrument, variant: Variant) -> Instrument:
    changes = {name: getattr(variant, name) for name in Variant.model_fields}
    return instrument.model_copy(update={**changes, "not_names": (), "variants": ()})


def _check(
    name: str, instrument: Instrument, answers: Mapping[str, AnswerList], groups: Mapping[str, ItemGroup]
) -> None:
    lists = {instrument.answers, *(item.answers for item in instrument.items if item.answers)}
    if unknown := lists - answers.keys():
        raise KnowledgeError(f"{name}: answers: no such list: {', '.join(sorted(unknown))}")
    if unknown := instrument.groups.keys() - groups.keys():
        raise KnowledgeError(f"{name}: groups: no such group: {', '.join(sorted(unknown))}")
    confused = {other.code for other in instrument.not_these} & {item.code for item in instrument.items}
    if confused:
        raise KnowledgeError(
            f"{name}: not_these: {', '.join(sorted(filter(None, confused)))} is an item of this instrument"
        )
    if instrument.range and instrument.range != _reachable(instrument, answers):
        raise KnowledgeError(f"{name}: range: the answers reach {_reachable(instrument, answers)}")


def _reachable(instrument: Instrument, answers: Mapping[str, AnswerList]) -> tuple[int, int]:
    """The lowest and the highest total that the answers can give."""
    spans = {
        item.number: [option.value for option in answers[item.answers or instrument.answers].options]
        for item in instrument.items
    }
    formula = instrument.formula
    parts = formula.domains.values() if isinstance(formula, SumOfMaxima) else [(no,) for no in spans]
    return (
        sum(max(min(spans[no]) for no in part) for part in parts),
        sum(max(max(spans[no]) for no in part) for part in parts),
    )


def _prepared(instrument: Instrument, answers: Mapping[str, AnswerList], styles: LinkStyles) -> PreparedInstrument:
    by_link = {
        link: place for place, item in enumerate(instrument.items) for link in _links(instrument, place, item, styles)
    }
    totals = {f"{instrument.id}-total", f"{instrument.id}-risk"}
    if instrument.loinc:
        totals |= {instrument.loinc.total, f"/{instrument.loinc.total}"}
    totals |= {plain_link(f"{name}-{end}") for name in instrument.link_names for end in styles.after_a_name_total}
    return PreparedInstrument(
        instrument=instrument,
        items=tuple(_scored_item(item, answers[item.answers or instrument.answers]) for item in instrument.items),
        by_link=by_link,
        extra=frozenset(instrument.extra_links),
        totals=frozenset(totals),
    )


def _links(instrument: Instrument, place: int, item: InstrumentItem, styles: LinkStyles) -> Iterator[str]:
    letter = chr(ord("a") + place)
    own = [style for style in instrument.link_styles if "{code}" not in style or item.code]
    for link in (*(link_id(style, item.number, item.code, letter) for style in own), *item.links):
        yield link
        yield plain_link(link)
    for name in instrument.link_names:
        yield from (plain_link(f"{name}-{link_id(style, item.number)}") for style in styles.after_a_name)


def _by_wording(forms: Iterable[PreparedInstrument]) -> dict[str, str]:
    return {
        plain_words(wording): link_id(form.instrument.link_styles[0], item.number, item.code)
        for form in forms
        for item in form.instrument.items
        for wording in (item.wording, *item.also_worded)
        if wording
    }


def _named_links(instrument: Instrument, style: NamedLinkStyle) -> NamedLinks:
    places = {item.number: place for place, item in enumerate(instrument.items)}
    if unknown := set(style.links.values()) - places.keys():
        raise KnowledgeError(f"{instrument.id}: named_link_styles: no such item: {', '.join(sorted(unknown))}")
    links = {link: places[number] for link, number in style.links.items()}
    if style.style:
        links |= {link_id(style.style, item.number, item.code): places[item.number] for item in instrument.items}
    links |= {plain_link(link): place for link, place in links.items()}
    totals = frozenset({style.total} if style.total else ())
    return NamedLinks(instrument.id, style.questionnaire, links, totals)


def with_local_links(instruments: Instruments, styles: Mapping[str, Iterable[NamedLinkStyle]]) -> Instruments:
    """The instruments with the linkIds of a site's own questionnaires, by instrument; KeyError for an unknown one."""
    local = tuple(
        _named_links(instruments[name], style) for name, of_instrument in styles.items() for style in of_instrument
    )
    return replace(instruments, named_styles=(*instruments.named_styles, *local)) if local else instruments


_PARTS_OF_A_LINK = re.compile(r"[a-z]+|[0-9]+")


def plain_link(link: str) -> str:
    """A linkId in lower case, words and numbers apart: ``PHQ9_Q1``, ``phq9.q1`` and ``/phq9-q1`` are ``phq-9-q-1``."""
    return "-".join(_PARTS_OF_A_LINK.findall(link.lower()))


def plain_words(text: str) -> str:
    """The letters of a text in lower case, without anything between them: ``Nearly everyday`` is ``nearlyeveryday``."""
    return "".join(letter for letter in text.lower() if letter.isalpha())


def plain_phrase(text: str) -> str:
    """The letters and digits of a text in lower case: ``2-4 times a month`` is ``24timesamonth``."""
    return "".join(letter for letter in text.lower() if letter.isalnum())


def link_id(style: str, number: str, code: str | None = None, letter: str = "") -> str:
    """A linkId from its pattern; ``{number:02}`` writes the number with two digits."""
    return style.format(number=int(number) if number.isdecimal() else number, code=code, letter=letter)


def _scored_item(item: InstrumentItem, answers: AnswerList) -> ScoredItem:
    values = [option.value for option in answers.options]

    def count(option: Option) -> int:
        return max(values) + min(values) - option.value if item.reversed else option.value

    codes: dict[tuple[str | None, str], int] = {}
    for option in answers.options:
        if option.code:
            codes[("http://loinc.org", option.code)] = codes[(None, option.code)] = count(option)
        codes |= {(other.system, other.code): count(option) for other in option.also}
        if answers.loinc_list:  # some servers name the list as the system, and write the weight as the code
            codes[(f"http://loinc.org/vs/{answers.loinc_list}", str(option.value))] = count(option)
    return ScoredItem(
        number=item.number,
        key=item.key,
        values=frozenset(values),
        numbers={float(option.value): count(option) for option in answers.options} if answers.integers else {},
        codes=codes,
        words={
            plain_phrase(words) if any(letter.isdigit() for letter in words) else plain_words(words): count(option)
            for option in answers.options
            for words in (option.display, *option.displays)
            if words
        },
        not_assessed=item.not_assessed,
    )
