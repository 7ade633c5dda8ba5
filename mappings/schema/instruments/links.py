"""Ways of writing the linkIds of items."""

from __future__ import annotations

from mappings.schema.base.entries import Entry


class LinkStyles(Entry):
    """Ways of writing linkIds that are common to all instruments."""

    after_a_name: tuple[str, ...]
    """What follows the name of an instrument: ``{number}``, ``q{number}``."""
    source: str


class NamedLinkStyle(Entry):
    """LinkIds that mean this instrument only in one questionnaire, or only in one that is named after it."""

    questionnaire: str = ""
    """End of the canonical URL; empty: any that is named after the instrument."""
    style: str
    total: str | None = None
