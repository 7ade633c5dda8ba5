"""Replaces one value in JSON and leaves every other byte as it is: spelling of numbers, order, spaces, escapes."""

from __future__ import annotations

import re

import msgspec

from fhir_plugin.record.datatypes import UNDECODABLE

Path = tuple[str | int, ...]

_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\]}]+")
_MARK = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{\]}]', re.DOTALL)


def replace_value(content: bytes, path: Path, value: bytes) -> bytes | None:
    """The JSON with another value at ``path``; ``None`` where it is not there, stands twice, or is not valid JSON."""
    try:
        content.decode("utf-8")
        msgspec.json.decode(content)
    except UNDECODABLE:
        return None
    span = _span(content, path)
    return None if span is None else content[: span[0]] + value + content[span[1] :]


def _span(content: bytes, path: Path) -> tuple[int, int] | None:
    """Where the value at ``path`` begins and ends; the content is valid JSON."""
    at = _skip_space(content, 0)
    for step in path:
        found = _member(content, at, step) if isinstance(step, str) else _element(content, at, step)
        if found is None:
            return None
        at = found
    return at, _end(content, at)


def _member(content: bytes, at: int, name: str) -> int | None:
    """Where the value of a member begins; a name that stands twice means nothing certain."""
    found = [value for key, value in _members(content, at) if key == name] if content[at : at + 1] == b"{" else []
    return found[0] if len(found) == 1 else None


def _members(content: bytes, at: int) -> list[tuple[str, int]]:
    members = []
    at = _skip_space(content, at + 1)
    while content[at : at + 1] != b"}":
        end = _end(content, at)
        key = msgspec.json.decode(content[at:end], type=str)
        value = _skip_space(content, _skip_space(content, end) + 1)
        members.append((key, value))
        at = _next(content, value)
    return members


def _element(content: bytes, at: int, index: int) -> int | None:
    if content[at : at + 1] != b"[":
        return None
    at = _skip_space(content, at + 1)
    for _ in range(index):
        if content[at : at + 1] == b"]":
            return None
        at = _next(content, at)
    return None if content[at : at + 1] == b"]" else at


def _next(content: bytes, at: int) -> int:
    """The beginning of what follows the value at ``at`` and its comma, or the bracket that closes."""
    after = _skip_space(content, _end(content, at))
    return _skip_space(content, after + 1) if content[after : after + 1] == b"," else after


def _end(content: bytes, at: int) -> int:
    """Where the value that begins at ``at`` ends."""
    first = content[at : at + 1]
    if first not in (b"{", b"["):
        found = (_STRING if first == b'"' else _SCALAR).match(content, at)
        return found.end() if found else at
    depth = 0
    for mark in _MARK.finditer(content, at):
        token = mark.group()
        depth += (token in (b"{", b"[")) - (token in (b"}", b"]"))
        if depth == 0:
            return mark.end()
    return len(content)


def _skip_space(content: bytes, at: int) -> int:
    found = _SPACE.match(content, at)
    return found.end() if found else at
