"""Bytes read leniently: what is not of the shape that is wanted is as good as absent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec
from msgspec import Raw

from fhir_plugin.record.datatypes import UNDECODABLE

T = TypeVar("T")


def read(content: bytes | str | Raw | None, shape: type[T]) -> T | None:
    """The content as a value of that shape; ``None`` where it is another, or no JSON at all."""
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=shape)
    except UNDECODABLE:
        return None


def decode_all(contents: Iterable[Raw], shape: type[T]) -> Iterator[T]:
    """Those of the contents that are of that shape."""
    for content in contents:
        found = read(content, shape)
        if found is not None:
            yield found


def decode_array(content: Raw, shape: type[T]) -> tuple[T, ...]:
    """The elements of an array that are of that shape; none for anything but an array."""
    return tuple(decode_all(read(content, tuple[Raw, ...]) or (), shape))
