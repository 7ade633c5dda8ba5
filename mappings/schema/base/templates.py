"""Sentences with fields, such as ``{day}``."""

from __future__ import annotations

from string import Formatter


def fields_of(template: str) -> list[str]:
    """The fields that a sentence names, in their order."""
    return [field for _, field, _, _ in Formatter().parse(template) if field is not None]
