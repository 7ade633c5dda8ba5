"""The navigation: every page in one section, the sections in the order in which a newcomer needs them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from docs.generator.markdown import Page


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of the navigation, and the pages below it: single paths, and folders that end in ``/``."""

    title: str
    places: tuple[str, ...]
    sections: tuple[Section, ...] = ()


_OPERATIONS = (
    "operations/index.md",
    "operations/install.md",
    "operations/settings.md",
    "operations/database.md",
    "operations/proxy.md",
    "operations/used-tokens.md",
    "operations/sizing.md",
    "operations/watch.md",
    "operations/traces.md",
    "operations/bad-day.md",
    "operations/backup.md",
    "operations/update.md",
    "operations/keys.md",
    "operations/several-hospitals.md",
    "operations/kubernetes.md",
    "security.md",
)
"""In the order in which an operator needs them, which is not that of the alphabet."""

SECTIONS = (
    Section("Start", ("index.md", "start.md", "glossary.md")),
    Section("Connect an EHR", ("connect/",)),
    Section("Operate", _OPERATIONS),
    Section("Write knowledge", ("write-knowledge.md",)),
    Section(
        "Reference",
        (
            "reference/settings.md",
            "reference/commands.md",
            "reference/services.md",
            "reference/metrics.md",
            "reference/log.md",
            "reference/spans.md",
            "python-api.md",
            "reference/treatments.md",
            "reference/conflicts.md",
            "reference/sources.md",
        ),
        (
            Section("Criteria", ("reference/criteria/",)),
            Section("Protocols", ("reference/protocols/",)),
            Section("Instruments", ("reference/instruments/",)),
            Section("Payers", ("reference/payers/",)),
        ),
    ),
    Section(
        "Develop",
        ("architecture.md", "contributing.md", "testing.md", "figures.md", "changelog.md", "notice.md", "licence.md"),
    ),
    Section("Decisions", ("decisions/",)),
)


class MisplacedPageError(ValueError):
    """A page stands in no section, so that nobody would find it."""


def navigation(pages: Iterable[Page]) -> str:
    """The navigation in the syntax of the configuration file.

    :raises MisplacedPageError: a page is in no section.
    """
    remaining = {entry.path: entry for entry in pages}
    entries = [_entry(section, remaining) for section in SECTIONS]
    if remaining:
        raise MisplacedPageError(
            f"{min(remaining)}: in no section of the navigation: add it to docs/generator/navigation.py"
        )
    return _array(entries)


def _array(entries: Iterable[str]) -> str:
    return "[" + ", ".join(entries) + "]"


def _entry(section: Section, remaining: dict[str, Page]) -> str:
    own = [_item(entry.title, json.dumps(entry.path)) for place in section.places for entry in _taken(place, remaining)]
    inner = [_entry(below, remaining) for below in section.sections]
    return _item(section.title, _array([*own, *inner]))


def _item(title: str, value: str) -> str:
    return f"{{ {json.dumps(_plain(title))} = {value} }}"


def _plain(title: str) -> str:
    """A title without the escapes of Markdown: the navigation shows it as it is."""
    return title.replace("\\", "").replace("&lt;", "<")


def _taken(place: str, remaining: dict[str, Page]) -> Iterator[Page]:
    """The pages of a place, an overview first; a page that is not there is left out."""
    if not place.endswith("/"):
        found = [place] if place in remaining else []
    else:
        found = sorted(
            (path for path in remaining if path.startswith(place)), key=lambda path: not path.endswith("/index.md")
        )
    yield from (remaining.pop(path) for path in found)
