"""Text of the record inside a card: shown literally, never as markup.

Clients render ``detail`` as GitHub Flavored Markdown, some of them with raw HTML. A code span is the only place where
Markdown, HTML and bare links all stay text, so all text of the record is put into one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MAX_LENGTH = 80
"""Characters of one quoted text of the record; longer texts are cut, with an ellipsis."""

_SPACE = re.compile(r"\s+")
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
"""Unicode categories without a visible character: controls, bidirectional marks, zero-width joiners, surrogates."""


def quote(text: str) -> str:
    """Text of the record as a code span that is safe in a table cell; empty if nothing is visible."""
    shown = plain(text).replace("`", "'").replace("\\", "/").replace("|", "/")
    return f"`{shown}`" if shown else ""


def plain(text: str, max_length: int = MAX_LENGTH) -> str:
    """One line of visible characters, cut to ``max_length``."""
    flat = _one_line(text)
    if not flat.isprintable():  # printable text has no character of the hidden categories
        flat = "".join(character for character in flat if unicodedata.category(character) not in _HIDDEN)
    visible = flat.strip()
    return visible if len(visible) <= max_length else visible[: max_length - 1].rstrip() + "…"


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A GFM table; the cells are already Markdown, and their pipes and line breaks are replaced."""
    return "\n".join((table_row(header), table_row(["---"] * len(header)), *map(table_row, rows)))


def table_row(cells: Iterable[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(cell: str) -> str:
    return _one_line(cell).replace("|", "/").strip()


def _one_line(text: str) -> str:
    """The text with runs of white space collapsed to one space."""
    return text if text.isprintable() and "  " not in text else _SPACE.sub(" ", text)
