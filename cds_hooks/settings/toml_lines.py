"""In which line of a TOML file a key stands; the parser of the standard library does not say it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

KeyPath = tuple[str | int, ...]
"""``("port",)``, ``("clients", 0, "issuer")``."""


_ENDS = ("]", "}", '"""', "'''")
"""One of these is in the last line of a statement that takes several."""


class TomlLines:
    """The lines of a file that has been parsed."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _lines(self) -> Mapping[KeyPath, int]:
        """The line of each key; found only when a mistake asks for one."""
        lines: dict[KeyPath, int] = {}
        table: KeyPath = ()
        counts: dict[KeyPath, int] = {}
        for number, statement, content in _statements(self._text):
            if statement.startswith("["):
                table = _table(next(_paths(content)), counts, repeated=statement.startswith("[["))
                lines.setdefault(table, number)
            else:
                for path in _paths(content):
                    lines.setdefault((*table, *path), number)
        return lines

    def of(self, path: KeyPath) -> int | None:
        """The line of the key, else that of what holds it; ``None`` where nothing of it stands in the file."""
        for length in range(len(path), 0, -1):
            if line := self._lines.get(path[:length]):
                return line
        return None


def _statements(text: str) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Each statement with its first line: the shortest run of lines that is TOML by itself."""
    held: list[str] = []
    first = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not held:
            first = number
        held.append(line)
        if len(held) > 1 and not any(end in line for end in _ENDS):
            continue
        try:
            content = tomllib.loads("\n".join(held))
        except tomllib.TOMLDecodeError:
            continue  # an array or a text that goes on
        if content:
            yield first, held[0].lstrip(), content
        held = []


def _paths(content: Mapping[str, Any]) -> Iterator[KeyPath]:
    """Each key of one statement and what it stands in."""
    for key, value in content.items():
        inner = value[0] if isinstance(value, list) and value else value
        if isinstance(inner, Mapping) and inner:
            yield from ((key, *path) for path in _paths(inner))
        yield (key,)


def _table(path: KeyPath, counts: dict[KeyPath, int], *, repeated: bool) -> KeyPath:
    """The path of a table that begins, with its number where it is one of several."""
    if not repeated:
        return path
    number = counts.get(path, 0)
    counts[path] = number + 1
    return (*path, number)
