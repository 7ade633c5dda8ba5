"""The written pages: the Markdown of the repository, its links turned into links of the site."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from docs.generator.markdown import Page, fenced, link, page

_LINK = re.compile(r"(?<=\]\()([^)\s#]+)((?:#[^)\s]*)?)(?=\))")
_INCLUDE = re.compile(r"^<!-- include: (\S+) -->$", re.MULTILINE)
_LANGUAGES = {".yaml": "yaml", ".toml": "toml", ".csv": "text"}

DECISIONS = "decisions/index.md"
ELSEWHERE = {
    "README.md": ("start.md", "Start"),
    "ARCHITECTURE.md": ("architecture.md", "Architecture"),
    "CONTRIBUTING.md": ("contributing.md", "Contributing"),
    "GLOSSARY.md": ("glossary.md", "Glossary"),
    "SECURITY.md": ("security.md", "Security"),
    "CHANGELOG.md": ("changelog.md", "Changelog"),
}
"""Pages that stand outside of ``docs``: their place on the site, and their title."""
TEXTS = {"NOTICE": ("notice.md", "Notice"), "LICENSE": ("licence.md", "Licence")}
"""Plain texts, shown as they are."""


class BrokenLinkError(ValueError):
    """A page links to something that is not on the site."""


def written_pages(root: Path, generated: Iterable[str]) -> Iterator[Page]:
    """Every page that people wrote; ``generated`` are the paths of the others, which they may link to."""
    files = dict(_files(root))
    places = {source: place for source, (place, _) in files.items()}
    places |= {f"docs/{path}": path for path in generated}
    places |= {name: place for name, (place, _) in TEXTS.items()}
    places |= {"decisions": DECISIONS, "decisions/": DECISIONS}
    pages = [_page(root, source, place, title, places) for source, (place, title) in files.items()]
    yield from pages
    yield _decisions(entry for entry in pages if entry.path.startswith("decisions/"))
    for name, (place, title) in TEXTS.items():
        yield page(place, title, (fenced((root / name).read_text(encoding="utf-8"), "text"),))


def _page(root: Path, source: str, place: str, title: str, places: dict[str, str]) -> Page:
    text = _with_files((root / source).read_text(encoding="utf-8"), root, source)
    return Page(place, title or _heading(text), with_site_links(text, source, place, places))


def pictures(root: Path) -> Iterator[tuple[Path, str]]:
    """Files that are copied as they are, and their place on the site."""
    yield root / "docs/site.css", "site.css"
    yield from ((file, f"pictures/{file.name}") for file in sorted((root / "docs/pictures").iterdir()))


def _files(root: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """By path in the repository: the place on the site, and the title where it is not the heading."""
    for file in sorted((root / "docs").rglob("*.md")):
        place = file.relative_to(root / "docs").as_posix()
        yield f"docs/{place}", (place, "Overview" if place.count("/") and file.stem == "index" else "")
    for file in sorted((root / "decisions").glob("*.md")):
        yield f"decisions/{file.name}", (f"decisions/{file.name}", "")
    yield from ELSEWHERE.items()


def _heading(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ")


def with_site_links(text: str, source: str, place: str, places: dict[str, str]) -> str:
    """The text of ``source`` for its ``place`` on the site.

    :raises BrokenLinkError: a link leads to a file that is not on the site.
    """

    def target(match: re.Match[str]) -> str:
        path, anchor = match.groups()
        if re.match(r"[a-z]+:", path):
            return match[0]
        named = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        there = named.removeprefix("docs/") if named.startswith("docs/pictures/") else places.get(named)
        if there is None:
            raise BrokenLinkError(f"{source}: {path}: no page of the site: name the file in words, or add it as a page")
        return posixpath.relpath(there, posixpath.dirname(place) or ".") + anchor

    return _outside_of_fences(text, lambda part: _LINK.sub(target, part))


def _outside_of_fences(text: str, change: Callable[[str], str]) -> str:
    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if part.startswith("```") else change(part) for part in parts)


def _with_files(text: str, root: Path, source: str) -> str:
    """The text with each file that it includes, so that an example cannot differ from what is used."""

    def content(match: re.Match[str]) -> str:
        file = root / match[1]
        if not file.is_file():
            raise BrokenLinkError(f"{source}: include: {match[1]}: no such file")
        return f"`{match[1]}`:\n\n{fenced(file.read_text(encoding='utf-8'), _LANGUAGES.get(file.suffix, 'text'))}"

    return _INCLUDE.sub(content, text)


def _decisions(pages: Iterable[Page]) -> Page:
    items = (f"- {link(_decision_words(entry.title), DECISIONS, entry.path)}" for entry in pages)
    introduction = "What cost an argument, and why it was decided so."
    return page(DECISIONS, "Overview", (introduction, "\n".join(items)), "Decisions")


def _decision_words(title: str) -> str:
    """The heading of a decision; its number would begin a list."""
    return title.replace(". ", " · ", 1)
