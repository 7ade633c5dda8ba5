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
    """The JSON with another value at ``path``; ``None`` if the path is missing or ambiguous, or the JSON invalid."""
    try:
        content.decode("utf-8")
        msgspec.json.decode(content)
    except UNDECODABLE:
        return None
    span = _span(content, path)
    return None if span is None else content[: span[0]] + value + content[span[1] :]


def _span(content: bytes, path: Path) -> tuple[int, int] | None:
    """The start and end of the value at ``path``; the content is valid JSON."""
    at = _skip_space(content, 0)
    for step in path:
        position = _member(content, at, step) if isinstance(step, str) else _element(content, at, step)
        if position is None:
            return None
        at = position
    return at, _end(content, at)


def _member(content: bytes, at: int, name: str) -> int | None:
    """The start of the value of a member; ``None`` if the name is duplicated, because its value is then ambiguous."""
    starts = [value for key, value in _members(content, at) if key == name] if content[at : at + 1] == b"{" else []
    return starts[0] if len(starts) == 1 else None


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
    """The start of the next value after the one at ``at``, or the closing bracket."""
    after = _skip_space(content, _end(content, at))
    return _skip_space(content, after + 1) if content[after : after + 1] == b"," else after


def _end(content: bytes, at: int) -> int:
    """The end of the value that starts at ``at``."""
    first = content[at : at + 1]
    if first not in (b"{", b"["):
        match = (_STRING if first == b'"' else _SCALAR).match(content, at)
        return match.end() if match else at
    depth = 0
    for mark in _MARK.finditer(content, at):
        token = mark.group()
        depth += (token in (b"{", b"[")) - (token in (b"}", b"]"))
        if depth == 0:
            return mark.end()
    return len(content)


def _skip_space(content: bytes, at: int) -> int:
    match = _SPACE.match(content, at)
    return match.end() if match else at
