"""The reference of instruments: what each asks, how it is scored, and what its totals mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from docs.generator.markdown import Page, bullets, code, codes, link, page, prose, table
from docs.generator.rules import review_line
from docs.generator.sources import source_links
from mappings.schema.instruments.model import Band, Instrument, Risk, SourcedEntry, SumOfMaxima
from mappings.schema.knowledge import Knowledge

FOLDER = "reference/instruments"


def instrument_pages(knowledge: Knowledge) -> Iterator[Page]:
    """An index, and one page for each instrument."""
    here = f"{FOLDER}/index.md"
    rows = (
        [
            link(prose(item.short), here, f"{FOLDER}/{item.id}.md"),
            prose(item.title),
            item.measures.replace("_", " "),
            code(item.id),
        ]
        for item in knowledge.instruments
    )
    introduction = (
        "A total is given only where every item that counts was answered; the code reads the answer, never a guess."
    )
    yield page(here, "Instruments", (introduction, table(("instrument", "title", "measures", "id"), rows)))
    yield from (_instrument(knowledge, item) for item in knowledge.instruments)


def _instrument(knowledge: Knowledge, item: Instrument) -> Page:
    here = f"{FOLDER}/{item.id}.md"
    items = (
        [question.number, prose(question.label), code(question.code or ""), prose(question.wording or "")]
        for question in item.items
    )
    blocks = (
        f"{code(item.id)} · {review_line(item, f'instruments/{item.id}.yaml')}",
        bullets(_facts(item)),
        f"## Items\n\n{prose(item.stem)}",
        table(("item", "about", "LOINC", "wording"), items),
        f"## Scoring\n\n{_scoring(item)}",
        _bands(item),
        _thresholds(knowledge, item, here),
        f"## Licence\n\n{prose(item.licence.terms)} (checked: {item.licence.verification.value})",
        f"## What is disputed\n\n{bullets(prose(words) for words in item.disputes)}" if item.disputes else "",
    )
    return page(here, prose(item.short), blocks, prose(f"{item.short}: {item.title}"))


def _facts(item: Instrument) -> Iterator[str]:
    yield f"Measures {item.measures.replace('_', ' ')}; rated by: {prose(item.rater)}."
    if item.recall_days:
        yield f"Asks about the last {item.recall_days} days. {prose(item.recall_note)}"
    if item.loinc:
        yield f"LOINC: panel {code(item.loinc.panel)}, total {code(item.loinc.total)}."
    yield f"Recognised in a questionnaire's address or title by {codes(item.names)}."
    for other in item.not_these:
        yield f"Not {code(other.code)}: {prose(other.why)}."


def _scoring(item: Instrument) -> str:
    formula = item.formula
    if isinstance(formula, Risk):
        levels = ([prose(level.name), ", ".join(level.any_of)] for level in formula.levels)
        otherwise = f"None of them: {prose(formula.otherwise)}. Incomplete: {prose(formula.when_incomplete)}."
        return f"{table(('level, the most severe first', 'any of these items'), levels)}\n\n{otherwise}"
    if isinstance(formula, SumOfMaxima):
        domains = ([prose(name), ", ".join(numbers)] for name, numbers in formula.domains.items())
        return f"The sum of the highest answer in each domain.\n\n{table(('domain', 'items'), domains)}"
    limits = f", from {item.range[0]} to {item.range[1]}" if item.range else ""
    return f"The sum of the items{limits}."


def _bands(item: Instrument) -> str:
    sexes = item.bands_by_sex
    if sexes:
        unknown = f"Where the sex is unknown, the bands for {sexes.unknown}."
        body = f"### Male\n\n{_band_table(sexes.male)}\n\n### Female\n\n{_band_table(sexes.female)}\n\n{unknown}"
    else:
        body = _band_table(item.bands)
    return f"## Bands\n\n{body}\n\nSource: {prose(item.bands_source)}." if body else ""


def _band_table(bands: Iterable[Band]) -> str:
    return table(("total", "band"), ([f"{band.low} to {band.high}", prose(band.name)] for band in bands))


def _thresholds(knowledge: Knowledge, item: Instrument, here: str) -> str:
    rows = (
        [words, source_links(knowledge, (entry.source,), here), entry.verification.value]
        for words, entry in _threshold_entries(item)
    )
    body = table(("threshold", "source", "checked"), rows)
    return f"## Thresholds\n\n{body}" if body else ""


def _threshold_entries(item: Instrument) -> Iterator[tuple[str, SourcedEntry]]:
    for cutoff in item.cutoffs:
        yield f"{cutoff.at_least} or more: {prose(cutoff.meaning)}", cutoff
    if item.response:
        yield f"Response: at least {item.response.percent} percent below the baseline", item.response
    if item.remission:
        yield f"Remission: at most {item.remission.at_most}", item.remission
    for change in item.changes:
        amount = f"{change.points:g} points" if change.points is not None else f"{change.percent:g} percent"
        yield f"Change of {amount} ({change.kind}): {prose(change.meaning)}", change
    if item.own_change:
        yield f"Change of {item.own_change.points:g} points counts as worse, and less as a plateau", item.own_change
    if item.relapse:
        yield (
            f"Relapse is flagged: {item.relapse.rise} above the best total, from {item.relapse.total_at_least} on",
            item.relapse,
        )
    if item.suicide:
        yield _suicide_words(item), item.suicide


def _suicide_words(item: Instrument) -> str:
    rule = item.suicide
    assert rule
    if rule.item is None:
        return f"Suicide signal: level {' or '.join(prose(level) for level in rule.levels)}"
    urgent = f", urgent from {rule.urgent_from}" if rule.urgent_from is not None else ""
    return f"Suicide signal: item {rule.item} from {rule.positive_from}{urgent}, whatever the total"
