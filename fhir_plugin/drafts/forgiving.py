"""Data types of a draft that are not as R4 shapes them: what has an obvious meaning is read, the rest is named.

A list where one value is due, one value where a list is due, a number in quotes, a concept or a timing that is only a
text: read. Anything else spoils the member that it stands in and no other; the path of that member is kept.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, inspect

from fhir_plugin.record.datatypes import UNDECODABLE, CodeableConcept, Timing

T = TypeVar("T", bound=msgspec.Struct)
MemberPath = tuple[str, ...]
"""The names of the members that lead to one."""

_BOOLEANS = {"true": True, "false": False}


class _Unreadable(Exception):
    """The value has no obvious meaning."""


def read_forgivingly(content: Raw, shape: type[T], at: MemberPath = ()) -> tuple[T | None, tuple[MemberPath, ...]]:
    """The value as far as it can be read, and the paths of the members that cannot; ``None`` for ``null``."""
    unread: list[MemberPath] = []
    if bytes(content) == b"null":
        return None, ()
    try:
        value = _read(msgspec.json.decode(content), _shape_of(shape), at, unread)
    except (*UNDECODABLE, _Unreadable):
        return shape(), (at,)
    return value, tuple(unread)


@cache
def _shape_of(shape: type[Any]) -> inspect.Type:
    return inspect.type_info(shape)


def _read(value: Any, kind: inspect.Type, at: MemberPath, unread: list[MemberPath]) -> Any:
    if isinstance(kind, inspect.UnionType):
        return None if value is None else _read(value, kind.types[0], at, unread)
    if isinstance(kind, inspect.VarTupleType):
        return _list(value, kind.item_type, at, unread)
    if isinstance(kind, inspect.StructType):
        return _struct(value, kind, at, unread)
    return _plain(value, kind)


def _list(value: Any, kind: inspect.Type, at: MemberPath, unread: list[MemberPath]) -> tuple[Any, ...]:
    items = value if isinstance(value, list) else [] if value is None else [value]
    read = []
    for item in items:
        try:
            read.append(_read(item, kind, at, unread))
        except _Unreadable:
            unread.append(at)
    return tuple(read)


def _struct(value: Any, kind: inspect.StructType, at: MemberPath, unread: list[MemberPath]) -> Any:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str) and value and kind.cls is CodeableConcept:
        return CodeableConcept(text=value)
    if isinstance(value, str) and value and kind.cls is Timing:
        return Timing(code=CodeableConcept(text=value))
    if not isinstance(value, dict):
        raise _Unreadable
    members: dict[str, Any] = {}
    for member in kind.fields:
        if value.get(member.encode_name) is None:
            continue
        path = (*at, member.encode_name)
        try:
            members[member.name] = _read(value[member.encode_name], member.type, path, unread)
        except _Unreadable:
            unread.append(path)
    return kind.cls(**members)


def _plain(value: Any, kind: inspect.Type) -> Any:
    if isinstance(kind, inspect.StrType):
        return _text(value)
    if isinstance(kind, inspect.BoolType):
        if isinstance(value, str) and value.lower() in _BOOLEANS:
            return _BOOLEANS[value.lower()]
        if isinstance(value, bool):
            return value
        raise _Unreadable
    return _number(value)


def _text(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    raise _Unreadable


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _Unreadable
    try:
        number = float(value)
    except (ValueError, OverflowError) as fault:
        raise _Unreadable from fault
    if not math.isfinite(number):
        raise _Unreadable
    return number
