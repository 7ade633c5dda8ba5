"""Pages, and the few pieces of Markdown that the generated ones are made of."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SPECIAL = re.compile(r"([\\`*_\[\]|{}~^=])")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the site."""

    path: str
    """Below the root of the site, ending in ``.md``."""
    title: str
    """In the navigation."""
    text: str


def page(path: str, title: str, blocks: Iterable[str], heading: str | None = None) -> Page:
    """A page of blocks below one heading; empty blocks are left out."""
    body = "\n\n".join(block.strip() for block in (f"# {heading or title}", *blocks) if block.strip())
    return Page(path, title, f"{body}\n")


def prose(text: str) -> str:
    """Text of the knowledge as text: nothing in it is Markdown or HTML."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("<", "&lt;")


def docstring(text: str) -> str:
    """A docstring as Markdown: its double backticks become single ones."""
    return " ".join(text.split()).replace("``", "`").replace("<", "&lt;")


def code(text: object) -> str:
    """A word as it is written in a file; nothing for nothing."""
    return f"`{text}`" if str(text) else ""


def codes(words: Iterable[object]) -> str:
    """Several words as they are written in a file."""
    return ", ".join(code(word) for word in words)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; nothing without rows. Columns that are empty in every row are left out."""
    filled = [[text.replace("\n", " ").replace("|", "\\|").replace("\\\\|", "\\|") for text in row] for row in rows]
    kept = [place for place in range(len(headers)) if any(row[place] for row in filled)]
    if not kept:
        return ""
    lines = [[headers[place] for place in kept], ["---"] * len(kept)]
    lines += [[row[place] for place in kept] for row in filled]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bullets(items: Iterable[str]) -> str:
    """A list; empty items are left out."""
    return "\n".join(f"- {item}" for item in items if item)


def fenced(text: str, language: str = "yaml") -> str:
    """A file, or a part of one, as it is."""
    return f"```{language}\n{text.strip()}\n```"


def link(words: str, here: str, there: str) -> str:
    """A link from the page ``here`` to ``there``, a page with or without an anchor."""
    path, hash_sign, anchor = there.partition("#")
    return f"[{words}]({posixpath.relpath(path, posixpath.dirname(here) or '.')}{hash_sign}{anchor})"
