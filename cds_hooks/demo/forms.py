"""Renders forms: FHIR resources with placeholders, so that a story need not repeat what all resources have in common.

A placeholder is ``$name``, alone or within a text. ``$name?`` omits its member if there is no value, ``$name!`` the
whole element around it. ``$name.2`` is the second of a list, ``$table[name]`` the row of a table with the key ``name``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from cds_hooks.demo.moments import Moment, read_moment
from mappings.schema.base.entries import Entry, KnowledgeError

_BLANK = re.compile(r"\$(?:(?P<table>\w+)\[)?(?P<name>[a-z_]+)(?:\.(?P<place>\d+))?\]?(?P<absent>[?!]?)")


class DemoForms(Entry):
    """The forms by name, default values for stories, and tables of codes."""

    given: dict[str, dict[str, Any]]
    tables: dict[str, dict[str | int, Any]]
    forms: dict[str, dict[str, Any]]


class _OmittedElement(Exception):
    """The element around this placeholder is omitted."""


class _Absent:
    """Marks an omitted member."""


_ABSENT = _Absent()


class FormRenderer:
    """Renders one form with the values of one story, for the anchor day."""

    def __init__(self, values: Mapping[str, Any], tables: Mapping[str, Mapping[str | int, Any]], anchor: date) -> None:
        self._values = values
        self._tables = tables
        self._anchor = anchor

    def fill(self, node: Any) -> Any:
        """``node`` with every placeholder replaced and every relative date resolved."""
        if isinstance(node, dict):
            return self._members(node)
        if isinstance(node, list):
            items = [item for item in (self._item(entry) for entry in node) if item is not _ABSENT]
            return items or _ABSENT
        return self._text(node) if isinstance(node, str) else node

    def _item(self, node: Any) -> Any:
        try:
            return self.fill(node)
        except _OmittedElement:
            return _ABSENT

    def _members(self, node: dict[str, Any]) -> Any:
        members = {
            key: self._item(value) if isinstance(value, dict) else self.fill(value) for key, value in node.items()
        }
        kept = {key: value for key, value in members.items() if value is not _ABSENT}
        return kept or _ABSENT

    def _text(self, text: str) -> Any:
        moment = read_moment(text, self._anchor)
        if moment:
            return str(moment)
        whole = _BLANK.fullmatch(text)
        if whole:
            return self._blank(whole)
        return _BLANK.sub(lambda blank: str(self._blank(blank)), text)

    def _blank(self, blank: re.Match[str]) -> Any:
        value = self._values.get(blank["name"])
        if value is not None and blank["place"]:
            value = value[int(blank["place"]) - 1]
        if value is None:
            return self._missing(blank)
        if blank["table"]:
            value = self._row(blank["table"], value)
        return str(value) if isinstance(value, Moment) else self.fill(value)

    def _missing(self, blank: re.Match[str]) -> _Absent:
        if blank["absent"] == "!":
            raise _OmittedElement
        if blank["absent"] == "?":
            return _ABSENT
        raise KnowledgeError(
            f"{self._values.get('patient')}: {blank['name']} is not given for {self._values.get('id')}"
        )

    def _row(self, table: str, key: Any) -> Any:
        try:
            return self._tables[table][key]
        except KeyError as fault:
            raise KnowledgeError(f"{self._values.get('patient')}: no {key!r} in the table {table}") from fault
