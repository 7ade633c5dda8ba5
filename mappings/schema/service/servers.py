"""Kinds of FHIR server: how each wants to be asked, and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import PositiveInt

from mappings.schema.base.entries import Entry, KnowledgeError, Reviewed, Verification
from mappings.schema.base.files import KNOWLEDGE, read_named

GENERIC = "generic-r4"
"""The profile of a server of which nothing is known."""


class ServerHabits(Entry):
    """How a server wants to be asked."""

    page_size: PositiveInt = 200
    """``_count`` of a search; a server that refuses it is asked again without."""
    post_search: Literal["never", "long"] = "long"
    """Which searches are sent as a form to ``_search``."""
    url_length: PositiveInt = 1_800
    """From how many characters on a search is ``long``."""
    strict: bool = False
    """Whether ``Prefer: handling=strict`` asks it to refuse a parameter that it would otherwise ignore."""
    not_offered: frozenset[str] = frozenset()
    """Resource types that it does not have: not asked for, and never read as "there is none"."""


DEFAULT_HABITS = ServerHabits()
"""The habits of a server of which nothing is known."""


class Remark(Entry):
    """One way in which a server differs, and where that is said."""

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
    """Every profile by id; :class:`KnowledgeError` where that of a server of which nothing is known is missing."""
    profiles = read_named(folder, ServerProfile)
    if GENERIC not in profiles:
        raise KnowledgeError(f"servers: {GENERIC}.yaml is missing")
    return profiles
