"""What a span may hold: a closed list of names and attributes, as the log has one of fields.

A span leaves this machine. An attribute is sent if its name is in ``ATTRIBUTES`` and its value fits; everything else is
dropped, so that no careless line can send anything of a record, a request or an exception.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cds_hooks.telemetry.logs import FIELDS
from fhir_plugin.record.inputs import INPUTS

CALL, QUERY = "call", "query"
STEPS = ("drafts", "gather", "facts", "assess", "recommend", "cards")
NAMES = frozenset({CALL, *STEPS, QUERY})
"""A span with another name is not sent."""

MEDICATIONS = "medications"
"""What queries for Medications are called that orders refer to; they are no input of their own."""
RESOURCE_TYPES: Mapping[str, str] = {
    MEDICATIONS: "Medication",
    **{name: each.resource_type for name, each in INPUTS.items()},
}
"""The resource type that a query is for, by the name of the query."""

Shape: TypeAlias = type[int] | re.Pattern[str] | frozenset[str]


def _as_logged(field_name: str) -> Shape:
    """Text as the log has it."""
    shape = FIELDS[field_name]
    return shape if isinstance(shape, re.Pattern) else int


ATTRIBUTES: dict[str, Shape] = {
    "tandem.correlation": _as_logged("correlation"),
    "tandem.service": _as_logged("service"),
    "tandem.hook": _as_logged("hook"),
    "tandem.client": _as_logged("tenant"),
    "tandem.mode": _as_logged("mode"),
    "tandem.cards": int,
    "tandem.quiet": int,
    "tandem.outside": int,
    "tandem.reason": _as_logged("reason"),
    "tandem.knowledge": _as_logged("knowledge"),
    "http.response.status_code": int,
    "tandem.query.input": frozenset(RESOURCE_TYPES),
    "tandem.query.resource_type": frozenset(RESOURCE_TYPES.values()),
    "tandem.query.outcome": re.compile(r"[a-z ,']{2,80}"),
    "tandem.query.count": int,
}
"""The permitted values: a whole number, text that matches the pattern in full, or one of a closed set."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the work on a call, with the pieces within it; its times are nanoseconds since 1970."""

    name: str
    begin: int
    end: int
    attributes: Mapping[str, Any] = field(default_factory=dict)
    inside: tuple[Piece, ...] = ()


def kept(attributes: Mapping[str, Any]) -> dict[str, str | int]:
    """The permitted attributes."""
    return {name: value for name, value in attributes.items() if name in ATTRIBUTES and fits(ATTRIBUTES[name], value)}


def fits(shape: Shape, value: Any) -> bool:
    """Whether an attribute of this shape may have this value."""
    if isinstance(shape, type):
        return type(value) is shape
    if isinstance(shape, frozenset):
        return isinstance(value, str) and value in shape
    return isinstance(value, str) and shape.fullmatch(value) is not None
