"""Which files decide for a caller, and which decide in the shadow."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from cds_hooks.settings.clients import Client
from cds_hooks.settings.settings import Settings

Key = Literal["knowledge", "site", "shadow_knowledge", "shadow_site"]


class KnowledgeChoice(NamedTuple):
    """The files from which one knowledge is loaded."""

    folder: Path | None
    """``None``: the one that ships with the product."""
    site: Path | None
    """The site's own file."""


def live_choice(settings: Settings, client: Client | None = None) -> KnowledgeChoice:
    """What decides the calls of a client; without one, of an open service."""
    return KnowledgeChoice(_first(settings, client, "knowledge"), _first(settings, client, "site"))


def shadow_choice(settings: Settings, client: Client | None = None) -> KnowledgeChoice | None:
    """What decides the same calls in the shadow; ``None`` where that is nothing else.

    What a client has of its own comes before all that is set for everybody: a new site file of one hospital is not
    tried on a client that has another.
    """
    folder = _first(settings, client, "shadow_knowledge", "knowledge")
    site = _first(settings, client, "shadow_site", "site")
    choice = KnowledgeChoice(folder, site)
    return None if choice == live_choice(settings, client) else choice


def _first(settings: Settings, client: Client | None, *keys: Key) -> Path | None:
    owners = (client, settings) if client else (settings,)
    return next((path for owner in owners for key in keys if (path := getattr(owner, key)) is not None), None)
