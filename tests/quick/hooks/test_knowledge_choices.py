"""Which files decide for a client, and which in the shadow: what it has of its own comes before what all have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cds_hooks.settings.choices import live_choice, shadow_choice
from cds_hooks.settings.clients import Client
from cds_hooks.settings.settings import Settings

ADDRESS = "https://ehr.example"


def chosen(common: dict[str, str], own: dict[str, str] | None) -> tuple[Any, Any]:
    """The live choice and the shadow, of a client with keys of its own; without any client for ``None``."""
    client = own is not None and Client(
        name="a",
        issuer=ADDRESS,
        key_set=ADDRESS,
        audience_base=ADDRESS,
        mode="live",
        **own,  # type: ignore[arg-type]
    )
    given = Settings(**common)  # type: ignore[arg-type]
    live, shadow = live_choice(given, client or None), shadow_choice(given, client or None)
    return _names(live), _names(shadow)


def _names(choice: tuple[Path | None, ...] | None) -> tuple[str, ...] | None:
    return choice and tuple(str(each or "-") for each in choice)


@pytest.mark.parametrize(
    ("common", "own", "live", "shadow"),
    [
        ({}, None, ("-", "-"), None),
        ({}, {}, ("-", "-"), None),
        ({"site": "s"}, None, ("-", "s"), None),
        ({"site": "s", "knowledge": "k"}, {}, ("k", "s"), None),
        ({"site": "s", "knowledge": "k"}, {"site": "a"}, ("k", "a"), None),
        ({"site": "s"}, {"knowledge": "b"}, ("b", "s"), None),
        ({"shadow_site": "n"}, None, ("-", "-"), ("-", "n")),
        ({"site": "s", "shadow_site": "n"}, {}, ("-", "s"), ("-", "n")),
        ({"site": "s", "shadow_site": "n"}, {"site": "a"}, ("-", "a"), None),
        ({"shadow_site": "n"}, {"site": "a", "shadow_site": "b"}, ("-", "a"), ("-", "b")),
        ({"shadow_knowledge": "n"}, {"site": "a"}, ("-", "a"), ("n", "a")),
        ({"shadow_knowledge": "n"}, {"knowledge": "k"}, ("k", "-"), None),
        ({"site": "s"}, {"shadow_knowledge": "n"}, ("-", "s"), ("n", "s")),
        ({"site": "s"}, {"shadow_site": "s"}, ("-", "s"), None),
    ],
)
def test_what_a_client_has_of_its_own_comes_first(
    common: dict[str, str],
    own: dict[str, str] | None,
    live: tuple[str, ...],
    shadow: tuple[str, ...] | None,
) -> None:
    assert chosen(common, own) == (live, shadow)
