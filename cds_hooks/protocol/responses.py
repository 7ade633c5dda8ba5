"""The CDS Hooks response: cards, their parts, and the discovery document.

Written strictly: ``omit_defaults`` keeps every null and empty attribute out (CDS Hooks, "Use of JSON").
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw


class ResponseMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A message that is written: without null or empty members."""


class CdsCoding(ResponseMessage, frozen=True):
    """A code of a system; ``display`` is required where a person selects it."""

    system: str
    code: str
    display: str = ""


class CardSource(ResponseMessage, frozen=True):
    """Whose guidance the card gives."""

    label: str
    url: str = ""
    topic: CdsCoding | None = None


class Link(ResponseMessage, frozen=True):
    """A link of a card; ``app_context`` only on smart links."""

    label: str
    url: str
    type: str
    app_context: str = ""


class Action(ResponseMessage, frozen=True):
    """One step of a suggestion; ``resource`` is FHIR as JSON bytes or builtins."""

    type: str
    description: str
    resource: Raw | dict[str, Any] | None = None
    resource_id: str = ""


class Suggestion(ResponseMessage, frozen=True):
    """A suggestion that the user may accept with one click; all its actions apply together."""

    label: str
    uuid: str = ""
    is_recommended: bool = False
    actions: tuple[Action, ...] = ()


class Card(ResponseMessage, frozen=True):
    """One card."""

    summary: str
    indicator: str
    source: CardSource
    uuid: str = ""
    detail: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    selection_behavior: str = ""
    override_reasons: tuple[CdsCoding, ...] = ()
    links: tuple[Link, ...] = ()


class CardsResponse(msgspec.Struct, frozen=True):
    """The answer to a call: ``cards`` is present even when it is empty."""

    cards: tuple[Card, ...] = ()


class Service(ResponseMessage, frozen=True):
    """One entry of the discovery document."""

    hook: str
    id: str
    title: str
    description: str
    prefetch: dict[str, str] = {}
    usage_requirements: str = ""
    version: str = ""


class Discovery(msgspec.Struct, frozen=True):
    """The discovery document."""

    services: tuple[Service, ...] = ()
