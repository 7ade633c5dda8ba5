"""Lenient decoding: content of the wrong structure is treated as absent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec
from msgspec import Raw

from fhir_plugin.record.datatypes import UNDECODABLE

T = TypeVar("T")


def read(content: bytes | str | Raw | None, shape: type[T]) -> T | None:
    """The content decoded as ``shape``; ``None`` if it has another structure or is not JSON."""
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=shape)
    except UNDECODABLE:
        return None


def decode_all(contents: Iterable[Raw], shape: type[T]) -> Iterator[T]:
    """The contents that decode as ``shape``; others are skipped."""
    for content in contents:
        value = read(content, shape)
        if value is not None:
            yield value


def decode_array(content: Raw, shape: type[T]) -> tuple[T, ...]:
    """The elements of an array that decode as ``shape``; empty for anything other than an array."""
    return tuple(decode_all(read(content, tuple[Raw, ...]) or (), shape))
