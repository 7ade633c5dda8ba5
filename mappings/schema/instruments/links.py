"""Ways of writing the linkIds of items."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from mappings.schema.base.entries import Entry


class LinkStyles(Entry):
    """Ways of writing linkIds that are common to all instruments."""

    after_a_name: tuple[str, ...]
    """What follows the name of an instrument: ``{number}``, ``q{number}``."""
    after_a_name_total: tuple[str, ...]
    """What follows the name of an instrument where its total stands: ``score``."""
    before_a_number: tuple[str, ...]
    """What may stand before the number of an item where the form is named after the instrument: ``q``."""
    words_of_a_total: tuple[str, ...]
    """What an Observation says beside the name of the instrument where it is the total: ``total score``."""
    source: str


class NamedLinkStyle(Entry):
    """LinkIds that mean this instrument only in one questionnaire, or only in one that is named after it."""

    questionnaire: str = ""
    """End of the canonical URL; empty: any that is named after the instrument."""
    style: str = ""
    links: dict[str, Annotated[str, BeforeValidator(str)]] = Field(default_factory=dict)
    """Single linkIds that follow no style, with the number of their item."""
    total: str | None = None

    @model_validator(mode="after")
    def _denotes_something(self) -> Self:
        if not (self.style or self.links):
            raise ValueError("a style or links are needed")
        return self
