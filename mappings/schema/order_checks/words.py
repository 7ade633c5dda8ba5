"""The wording for draft orders, as data; fields are checked on load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, Field, model_validator

from mappings.schema.base.entries import Entry, Reviewed
from mappings.schema.base.templates import fields_of
from mappings.schema.texts.cards import Indicator


class Notice(Entry):
    """A separate card about drafts."""

    indicator: Indicator
    summary: str
    lead: str


class OtherForm(Notice):
    """The card for a drug of a treatment in a form or by a route that the criteria do not cover."""

    indicator_against: Indicator
    """If something on the record speaks against the drug anyway."""
    against: str
    sources: tuple[str, ...]


class OrderSectionLines(Entry):
    """The lines of the section about one order."""

    deviates: str
    says: str
    ok: str
    unknown: str
    not_stated: str


class CheckWords(Entry):
    """One check within a line of the card."""

    ok: str
    unknown: str


class DraftedWords(Entry):
    """The value that the order states."""

    value: str
    by_weight: str
    weight: str


class SuggestionWords(Entry):
    """A suggestion."""

    label: str
    description: str


class Suggestions(Entry):
    """Suggested changes to an order."""

    remove: SuggestionWords
    correct: SuggestionWords


WhyKey = Literal[
    "not_stated", "unreadable", "several", "disagree", "rate_disagrees", "other_route", "no_number", "course_unknown",
    "criterion_unknown",
    "contraindicated", "no_baseline", "no_companion", "companions_unread", "companion", "under_way",
    "ordered_already", "drafted_twice", "twice_at_once", "nothing_else", "status_unknown", "nameless",
    "combined_drafts", "combined_order", "combined_course", "schedule",
]  # fmt: skip


class GrossWords(Entry):
    """An order far outside what is expected, in a few words of the headline."""

    most_characters: int
    """A longer phrase gives way to the short one."""
    long: str
    """With ``{title}``, ``{drafted}`` and ``{expected}``."""
    short: str
    """With ``{title}``."""
    beside: str
    """With ``{treatment}``: the other drug of the family is given or ordered."""


class OrderCheckWords(Reviewed):
    """``_words.yaml``."""

    FIELDS: ClassVar[Mapping[str, frozenset[str]]] = {
        "foreign_only": frozenset({"count"}),
        "foreign_beside": frozenset({"count"}),
        "unnamed": frozenset({"count"}),
        "unreadable": frozenset({"count"}),
        "unreadable_beside": frozenset({"count"}),
        "unnamed_beside": frozenset({"count"}),
        "other_form": frozenset({"treatment", "criteria"}),
        "lead": frozenset({"treatment", "draft"}),
        "lines": frozenset({"title", "drafted", "expected", "source", "why", "items"}),
        "items": frozenset({"title", "drafted", "why"}),
        "range": frozenset({"low", "high"}),
        "or_": frozenset({"one", "other"}),
        "drafted": frozenset({"value", "unit", "dose", "whole", "weight", "kilograms", "day"}),
        "why": frozenset(
            {
                "fields",
                "words",
                "minutes",
                "stated",
                "criteria",
                "count",
                "first",
                "last",
                "treatment",
                "dated",
                "schedule",
                "sessions",
                "per_day",
            }
        ),
        "dated": frozenset({"day"}),
        "critical_summary": frozenset({"treatment", "title", "drafted", "expected"}),
        "suggestions": frozenset({"treatment", "title", "value", "unit", "before", "because"}),
    }
    """Allowed fields of the sentences, by key."""

    foreign_only: Notice
    foreign_beside: Notice
    unnamed: Notice
    unreadable: Notice
    unreadable_beside: str
    unnamed_beside: str
    other_form: OtherForm
    order: tuple[str, ...]
    """The checks, in the order in which they are shown."""
    lead: str
    lines: OrderSectionLines
    items: CheckWords
    local: str
    range: str
    or_: str = Field(alias="or")
    drafted: DraftedWords
    why: dict[WhyKey, str]
    dated: str
    suggestions: Suggestions
    critical_summary: str
    """The summary where a value is so far out that it stands there alone."""
    gross: GrossWords
    remarks_at: tuple[str, ...]
    """The hooks at which remarks are said."""

    def reason(self, key: str) -> str:
        """One of the sentences of ``why``."""
        reasons: Mapping[Any, str] = self.why
        return reasons[key]

    @model_validator(mode="after")
    def _fields(self) -> Self:
        for key, allowed in self.FIELDS.items():
            for sentence in _sentences(getattr(self, key)):
                if not allowed.issuperset(fields_of(sentence)):
                    raise ValueError(f"{key}: may name only {', '.join(sorted(allowed))}")
        if missing := [key for key in get_args(WhyKey) if key not in self.why]:
            raise ValueError(f"why: no sentence for {', '.join(missing)}")
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
