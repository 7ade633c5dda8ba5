"""Cards as a client parses them: leniently, with a default for every attribute that may be missing."""

from __future__ import annotations

from typing import Any

import msgspec

from fhir_plugin.record import lenient


class ShownPart(msgspec.Struct, frozen=True, rename="camel"):
    """A part of a parsed card; unknown members are ignored."""


class ShownReason(ShownPart, frozen=True):
    """One reason for which the card may be overridden."""

    code: str = ""
    display: str = ""
    system: str = ""


class ShownAction(ShownPart, frozen=True):
    """One step of a suggestion."""

    type: str = ""
    description: str = ""
    resource: dict[str, Any] | None = None
    resource_id: str = ""


class ShownSuggestion(ShownPart, frozen=True):
    """A suggestion that can be accepted with one click."""

    label: str = ""
    uuid: str = ""
    is_recommended: bool = False
    actions: tuple[ShownAction, ...] = ()


class ShownLink(ShownPart, frozen=True):
    """A link, or the launch of a SMART app."""

    label: str = ""
    url: str = ""
    type: str = ""
    app_context: str = ""


class ShownSource(ShownPart, frozen=True):
    """Whose guidance the card gives."""

    label: str = ""
    url: str = ""


class ShownCard(ShownPart, frozen=True):
    """One card, as a page shows it."""

    summary: str = ""
    indicator: str = "info"
    source: ShownSource = ShownSource()
    uuid: str = ""
    detail: str = ""
    suggestions: tuple[ShownSuggestion, ...] = ()
    override_reasons: tuple[ShownReason, ...] = ()
    links: tuple[ShownLink, ...] = ()


class _Answer(msgspec.Struct):
    cards: tuple[ShownCard, ...] = ()


def read_cards(answer: bytes | str) -> tuple[ShownCard, ...]:
    """The cards of an answer; empty if the answer holds no cards."""
    return (lenient.read(answer, _Answer) or _Answer()).cards
