"""Profiles of FHIR servers: how to query them, and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import PositiveInt

from mappings.schema.base.entries import Entry, KnowledgeError, Reviewed, Verification
from mappings.schema.base.files import KNOWLEDGE, read_named

GENERIC = "generic-r4"
"""The profile of an unknown server."""


class ServerHabits(Entry):
    """How to query a server."""

    page_size: PositiveInt = 200
    """``_count`` of a search; if the server rejects it, the search is repeated without."""
    post_search: Literal["never", "long"] = "long"
    """Which searches are sent as a form to ``_search``."""
    url_length: PositiveInt = 1_800
    """The URL length in characters above which a search is ``long``."""
    strict: bool = False
    """Whether ``Prefer: handling=strict`` is sent, so that unsupported parameters are rejected, not ignored."""
    not_offered: frozenset[str] = frozenset()
    """Resource types that it does not offer: not requested, and never taken to mean "there is none"."""


DEFAULT_HABITS = ServerHabits()
"""The habits of an unknown server."""


class Remark(Entry):
    """One peculiarity of a server, and its source."""

    says: str
    source: str
    verification: Verification


class ServerProfile(Reviewed):
    """One kind of server."""

    id: str
    title: str
    habits: ServerHabits = ServerHabits()
    remarks: tuple[Remark, ...]


def load_server_profiles(folder: Path = KNOWLEDGE / "servers") -> Mapping[str, ServerProfile]:
    """Every profile by id; :class:`KnowledgeError` if the generic one is missing."""
    profiles = read_named(folder, ServerProfile)
    if GENERIC not in profiles:
        raise KnowledgeError(f"servers: {GENERIC}.yaml is missing")
    return profiles
