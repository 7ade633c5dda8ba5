"""Protocols: which criteria decide about which treatment, in which role and order."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field

from mappings.files import read_yaml
from mappings.model import Entry, Grade, KnowledgeError, Reviewed


class Role(StrEnum):
    """What a criterion does to a treatment."""

    REQUIRED = "required"
    """Must be met."""
    CONTRAINDICATION = "contraindication"
    """Must be known not to be met; met, the treatment is contraindicated."""
    EXPECTED = "expected"
    """Should be met; not met or unknown it is shown, and decides nothing."""
    CAUTION = "caution"
    """Is shown when met or unknown, and decides nothing."""
    CONTEXT = "context"
    """Is shown when met, and decides nothing."""


class Clause(Entry):
    """One criterion in one role for some treatments."""

    criterion: str
    role: Role
    treatments: tuple[str, ...]
    sources: tuple[str, ...]
    grade: Grade
    why: str
    """Why it has this role, for the reader of the card's detail."""
    speaks: bool = False
    """Whether this clause, when it is met, is reason enough to speak without an order."""


class Conflict(Entry):
    """A matter on which the sources disagree, and what is done about it."""

    topic: str
    positions: dict[str, str]
    """Source key -> what it says, in our words."""
    resolution: str
    treatments: tuple[str, ...]
    """Treatments beside which it is shown."""
    criteria: tuple[str, ...] = ()
    """Findings beside which it is shown unless all are false; none named: always."""


class Protocol(Reviewed):
    """A way to decide, as one source or this product holds it."""

    id: str
    title: str
    sources: tuple[str, ...]
    note: str
    focus: str
    """The treatment whose verdict is the answer when nothing was ordered."""
    speaks_at: tuple[Literal["contraindicated", "not_met", "unknown", "met"], ...]
    """Standings of the focus that are worth a card when a chart is only viewed,"""
    speaks_when: tuple[str, ...] = ()
    """provided that these criteria are all met."""
    treatments: tuple[str, ...]
    clauses: tuple[Clause, ...]
    resolutions: dict[str, str] = Field(default_factory=dict)
    """Conflict -> what this protocol does, where it is not the safer resolution of ``conflicts.yaml``."""


class Conflicts(Reviewed):
    """Every matter on which the two documents, or a document and a label, disagree."""

    conflicts: dict[str, Conflict]


def load_protocols(folder: Path) -> Mapping[str, Protocol]:
    """Every protocol of a folder by id; the name of a file is its id."""
    protocols: dict[str, Protocol] = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.name.endswith(".cases.yaml"):
            continue
        protocol = read_yaml(path, Protocol)
        if path.name != f"{protocol.id}.yaml":
            raise KnowledgeError(f"{path.name}: id: must be the name of the file, not {protocol.id!r}")
        protocols[protocol.id] = protocol
    return protocols
