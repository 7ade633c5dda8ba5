"""The bibliography, and links to its entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from docs.generator.markdown import Page, bullets, code, link, page, prose, table
from docs.generator.models import descriptions
from mappings.schema.base.entries import Source, Verification
from mappings.schema.knowledge import Knowledge

PATH = "reference/sources.md"


def source_links(knowledge: Knowledge, names: Iterable[str], here: str) -> str:
    """Sources by their keys: of the bibliography as links to it, an address as a link, anything else as text."""
    return ", ".join(_source_link(knowledge, name, here) for name in names)


def _source_link(knowledge: Knowledge, name: str, here: str) -> str:
    if name in knowledge.sources:
        return link(code(name), here, f"{PATH}#{name}")
    return f"[{urlsplit(name).netloc}]({name})" if name.startswith(("https://", "http://")) else prose(name)


def sources_page(knowledge: Knowledge) -> Page:
    """Every source, and the criteria whose numbers or statements rest on it."""
    words = descriptions(Verification)
    checked = table(("word", "meaning"), ((code(item.value), words[item.name]) for item in Verification))
    introduction = (
        "Every number of the knowledge names its source, and says how well it was checked. What a source really "
        f"supports is written in our own words.\n\n{checked}"
    )
    entries = (_entry(name, source, _cited_by(knowledge, name)) for name, source in knowledge.sources.items())
    return page(PATH, "Sources", (introduction, *entries))


def _entry(name: str, source: Source, cited: Iterable[str]) -> str:
    doi = f"[doi:{source.doi}](https://doi.org/{source.doi})" if source.doi else ""
    address = f"<{source.url}>" if source.url else ""
    facts = (
        prose(source.citation),
        f"{source.kind.value.capitalize()}, grade: {source.grade.value}; read: {prose(source.read)}.",
        f"Supports: {prose(source.supports)}",
        " ".join(filter(None, (doi, address))),
        f"Cited by {', '.join(cited)}." if (cited := list(cited)) else "",
    )
    return f"## {code(name)} {{#{name}}}\n\n{bullets(facts)}"


def _cited_by(knowledge: Knowledge, name: str) -> Iterator[str]:
    for item in knowledge.criteria.values():
        if name in item.sources or any(number.source == name for number in item.numbers.values()):
            yield link(prose(item.title), PATH, f"reference/criteria/{item.id}.md")
