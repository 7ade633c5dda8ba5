"""The words about draft orders, as data; checked for their fields when they are loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any, ClassVar, Self

from pydantic import BaseModel, model_validator

from mappings.cards import Indicator
from mappings.model import Entry, Reviewed


class Notice(Entry):
    """A card of its own about drafts."""

    indicator: Indicator
    summary: str
    lead: str


class OtherForm(Notice):
    """The card for a drug of ours in a form or by a route that the criteria are not made for."""

    indicator_against: Indicator
    """When a contraindication is on the record all the same."""
    against: str
    sources: tuple[str, ...]


class OrderWords(Reviewed):
    """``_words.yaml``."""

    FIELDS: ClassVar[Mapping[str, frozenset[str]]] = {
        "foreign_only": frozenset({"count"}),
        "unnamed": frozenset({"count"}),
        "unnamed_beside": frozenset({"count"}),
        "other_form": frozenset({"treatment", "criteria"}),
    }
    """Which fields the sentences under each key may name."""

    foreign_only: Notice
    unnamed: Notice
    unnamed_beside: str
    other_form: OtherForm

    @model_validator(mode="after")
    def _fields(self) -> Self:
        for key, allowed in self.FIELDS.items():
            for sentence in _sentences(getattr(self, key)):
                if {field for _, field, _, _ in Formatter().parse(sentence) if field is not None} - allowed:
                    raise ValueError(f"{key}: may name only {', '.join(sorted(allowed))}")
        return self


def _sentences(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, BaseModel):
        for _, member in value:
            yield from _sentences(member)
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _sentences(member)
