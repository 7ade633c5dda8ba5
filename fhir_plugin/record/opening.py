"""Splits a value into entries: decoded as a whole, or entry by entry if that fails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from fhir_plugin.record.bundles import (
    RESOURCE_TYPES,
    AnyResource,
    Bundle,
    BundleEntry,
    BundleLink,
    RawBundle,
    RawEntry,
    SearchMode,
    Tag,
)
from fhir_plugin.record.datatypes import UNDECODABLE
from fhir_plugin.record.lenient import read

_ANYTHING = msgspec.json.Decoder(AnyResource | Bundle | None)


_ENTRY = msgspec.json.Decoder(BundleEntry)


_RAW_ENTRY = msgspec.json.Decoder(RawEntry)


_RAW_BUNDLE = msgspec.json.Decoder(RawBundle)


_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw] | None)


_LINKS = msgspec.json.Decoder(list[BundleLink] | None)


_TOTAL = msgspec.json.Decoder(float | None, strict=False)


_TAG = msgspec.json.Decoder(Tag)


_KINDS = {kind.lower(): kind for kind in RESOURCE_TYPES}
"""The types by their name in lower case: in other capitals a resource is unreadable, and yet of that type."""


MAX_ENTRIES = 10_000
"""Entries of one prefetched value, or of one page of a FHIR server. The prefetch asks for 200, and a heavy record has
some thousand Observations of the codes that are read; what holds more is not read, and unknown."""
MAX_VALUES = 500_000
"""Members and elements of a body, a value or a page, counted by their commas. FHIR of 5 MB has some 150,000."""


_LONG = 1_000_000
"""Bytes of a value from which on its entries are counted before they are decoded, because each takes memory."""
_TOO_MANY_ENTRIES = f"more than {MAX_ENTRIES} entries: not read"


@dataclass(frozen=True, slots=True)
class UnreadableEntry:
    """A Bundle entry that cannot be decoded; ``resource_type`` is set if at least that can be read."""

    resource_type: str | None
    why: str
    mode: str | None = None
    """``search.mode`` of the entry."""


@dataclass(frozen=True, slots=True)
class OpenedBundle:
    """The entries of a value, not yet checked."""

    entries: Sequence[BundleEntry | UnreadableEntry]
    next_url: str | None = None
    links_read: bool = True
    linked: bool = False
    """Whether it has links: then one without a next link is the last page."""
    bundle: bool = True
    total: float | None = None
    """How many matches the search has, as the Bundle says; it may be an estimate, so fewer than came mean nothing."""

    def matches(self, expected: str | None = None) -> int:
        """How many entries match the search.

        Included resources do not; without a ``search.mode``, those of the ``expected`` type do. With no type expected,
        every resource counts.
        """
        return sum([_is_match(entry, expected) for entry in self.entries])


def _is_match(entry: BundleEntry | UnreadableEntry, expected: str | None) -> bool:
    if isinstance(entry, UnreadableEntry):
        mode, kind = entry.mode, entry.resource_type
    else:
        mode = entry.search.mode if entry.search else None
        kind = type(entry.resource).__name__ if entry.resource else None
    if kind == "OperationOutcome" or mode == "outcome":
        return False
    return expected is None or mode == "match" or (mode is None and kind in (expected, None))


def has_too_many_values(content: bytes) -> bool:
    """Whether JSON holds more members and elements than are decoded; each takes much more memory than its bytes."""
    return len(content) > MAX_VALUES and content.count(b",") > MAX_VALUES


def too_many(raw: bytes | msgspec.Raw) -> str:
    """Why a value is not decoded: it holds more values or entries than real ones do; empty if it may be decoded."""
    size = memoryview(raw).nbytes
    if size <= MAX_ENTRIES:
        return ""
    if size > MAX_VALUES and has_too_many_values(bytes(raw)):
        return f"more than {MAX_VALUES} values: not read"
    entries = read(raw, _Entries)
    return _TOO_MANY_ENTRIES if entries and len(entries.entry) > MAX_ENTRIES else ""


class _Entries(msgspec.Struct, gc=False):
    """The entries of a Bundle as bytes, to be counted."""

    entry: list[msgspec.Raw] = []


def open_value(raw: bytes | msgspec.Raw, *, bounded: bool = True) -> OpenedBundle | UnreadableEntry | None:
    """Split a Bundle or a single resource into entries; ``None`` for ``null``.

    Where it is ``bounded``, a value of more entries than real ones have is not decoded.
    """
    if bounded and memoryview(raw).nbytes > _LONG and (why := too_many(raw)):
        return UnreadableEntry(None, why)
    try:
        value = _ANYTHING.decode(raw)
    except UNDECODABLE as error:
        return _open_entry_by_entry(raw, _reason(error), bounded=bounded)
    if isinstance(value, Bundle):
        if bounded and len(value.entry) > MAX_ENTRIES:
            return UnreadableEntry(None, _TOO_MANY_ENTRIES)
        return OpenedBundle(value.entry, _next_url(value.link), linked=bool(value.link), total=value.total)
    return None if value is None else OpenedBundle((BundleEntry(resource=value),), bundle=False)


def _open_entry_by_entry(raw: bytes | msgspec.Raw, why: str, *, bounded: bool) -> OpenedBundle | UnreadableEntry:
    kind = _resource_type(raw)
    if kind is None:
        return UnreadableEntry(None, "not FHIR in JSON")
    if kind != "Bundle":
        known_type = kind if kind in RESOURCE_TYPES else None
        return OpenedBundle(
            (UnreadableEntry(known_type, why if known_type else "a resource of a type that is not read"),), bundle=False
        )
    try:
        bundle = _RAW_BUNDLE.decode(raw)
        entries = _RAW_LIST.decode(bundle.entry) or []
    except UNDECODABLE as error:
        return UnreadableEntry("Bundle", _reason(error))
    if bounded and len(entries) > MAX_ENTRIES:
        return UnreadableEntry(None, _TOO_MANY_ENTRIES)
    try:
        links, links_read = _LINKS.decode(bundle.link) or [], True
    except UNDECODABLE:
        links, links_read = [], False
    opened = [_open_entry(entry) for entry in entries]
    return OpenedBundle(opened, _next_url(links), links_read, linked=bool(links), total=_total(bundle.total))


def _total(raw: bytes | msgspec.Raw) -> float | None:
    """The total as a number, also where it is written as text; ``None`` where it is none."""
    total: float | None = None
    with suppress(*UNDECODABLE):
        total = _TOTAL.decode(raw)
    return total


def _open_entry(raw: msgspec.Raw) -> BundleEntry | UnreadableEntry:
    try:
        return _ENTRY.decode(raw)
    except UNDECODABLE as error:
        why = _reason(error)
    try:
        entry = _RAW_ENTRY.decode(raw)
        kind = _resource_type(entry.resource)
    except UNDECODABLE:
        return UnreadableEntry(None, "an entry without a readable resource")
    if kind is None:
        why = "an entry without a readable resource"
    return UnreadableEntry(_KINDS.get((kind or "").lower(), kind), why, _mode(entry.search))


def _mode(raw: bytes | msgspec.Raw) -> str | None:
    search = read(raw, SearchMode)
    return search.mode if search else None


def _resource_type(raw: bytes | msgspec.Raw) -> str | None:
    try:
        return _TAG.decode(raw).resource_type
    except UNDECODABLE:
        return None


def _reason(error: Exception) -> str:
    """The decoder's description of the error and its place; never a value."""
    if isinstance(error, msgspec.ValidationError) and "Invalid value" not in str(error):
        return str(error)
    return "nested too deeply" if isinstance(error, RecursionError) else "not valid JSON"


def _next_url(links: Iterable[BundleLink]) -> str | None:
    return next((link.url for link in links if link.url and (link.relation or "").lower() == "next"), None)
