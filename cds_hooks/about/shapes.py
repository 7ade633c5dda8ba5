"""The models of the description of the service; as JSON, the response of ``GET /about.json``."""

from __future__ import annotations

from datetime import date

import msgspec


class CitedSource(msgspec.Struct, frozen=True):
    """A source as displayed."""

    key: str
    citation: str
    kind: str
    grade: str
    read: str
    supports: str
    url: str = ""


class NumberDescription(msgspec.Struct, frozen=True):
    """One number with its source."""

    name: str
    value: str
    source: str
    verification: str
    note: str = ""
    local: bool = False


class CriterionRole(msgspec.Struct, frozen=True):
    """The role of a criterion for some treatments."""

    role: str
    treatments: tuple[str, ...]
    why: str
    grade: str
    sources: tuple[str, ...]
    local: bool


class CriterionDescription(msgspec.Struct, frozen=True):
    """One criterion in words."""

    id: str
    title: str
    statement: str
    in_words: str
    figures: tuple[NumberDescription, ...]
    inputs: tuple[str, ...]
    sources: tuple[str, ...]
    asks: str
    roles: tuple[CriterionRole, ...]
    review_due: date
    overdue: bool


class PathwayDescription(msgspec.Struct, frozen=True):
    """One pathway of a protocol."""

    title: str
    all_of: tuple[str, ...]
    any_of: tuple[str, ...]
    none_of: tuple[str, ...]
    steps: tuple[str, ...]
    choice: str
    grade: str
    says: str
    sources: tuple[str, ...]


class ProtocolDescription(msgspec.Struct, frozen=True):
    """A protocol; ``applied`` marks the one that decides."""

    id: str
    title: str
    note: str
    applied: bool
    parameters: tuple[NumberDescription, ...]
    pathways: tuple[PathwayDescription, ...]
    sources: tuple[str, ...]


class SourceConflict(msgspec.Struct, frozen=True):
    """A matter on which the sources disagree."""

    topic: str
    positions: dict[str, str]
    resolution: str


class ReviewedPart(msgspec.Struct, frozen=True):
    """A part of the knowledge with its review dates."""

    name: str
    reviewed: date
    review_due: date
    overdue: bool


class SessionRuleDescription(msgspec.Struct, frozen=True):
    """A rule before a session."""

    id: str
    short: str
    treatments: tuple[str, ...]
    level: str
    action: str
    why: str
    figures: tuple[NumberDescription, ...]
    sources: tuple[str, ...]
    verification: str


class ServiceDescription(msgspec.Struct, frozen=True):
    """One CDS service."""

    id: str
    hook: str
    title: str
    description: str


class AboutPage(msgspec.Struct, frozen=True, kw_only=True):
    """The whole page."""

    title: str
    service: ServiceDescription | None
    services: tuple[ServiceDescription, ...]
    purpose: str
    user: str
    patients: str
    not_for: tuple[str, ...]
    limits: tuple[str, ...]
    not_done: tuple[str, ...]
    review_basis: str
    attributes: tuple[dict[str, str | bool | None], ...]
    rules: tuple[CriterionDescription, ...]
    session_rules: tuple[SessionRuleDescription, ...]
    """Empty on the page of a service that speaks at another time."""
    protocols: tuple[ProtocolDescription, ...]
    conflicts: tuple[SourceConflict, ...]
    claims: tuple[dict[str, str | tuple[str, ...]], ...]
    inputs: dict[str, str]
    sources: dict[str, CitedSource]
    site: str
    version: str
    knowledge: str
    as_of: date
    dates: tuple[ReviewedPart, ...]
