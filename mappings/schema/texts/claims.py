"""Claims about the treatments, what actually supports them, and where this product relies on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, Grade, KnowledgeError, Reviewed
from mappings.schema.base.files import read_yaml
from mappings.schema.rules.criteria import Criterion
from mappings.schema.rules.protocols import Conflict, Protocol


class Claim(Entry):
    """One statement of a source."""

    says: str
    said_by: tuple[str, ...] = Field(min_length=1)
    """Keys of sources."""
    rests_on: tuple[str, ...] = Field(min_length=1)
    """Keys of the sources that can confirm it."""
    supports: str
    """What those actually support, in our words."""
    grade: Grade
    used_in: tuple[str, ...] = ()
    """A kind and a name: ``criterion age.adult``, ``pathway trauma``, ``parameter ketamine.infusion``."""
    why_unused: str = ""

    @model_validator(mode="after")
    def _used_or_not(self) -> Self:
        if bool(self.used_in) == bool(self.why_unused):
            raise ValueError("either used_in or why_unused")
        return self


class Claims(Reviewed):
    """``claims.yaml``."""

    claims: dict[str, Claim]


def load_claims(path: Path) -> Claims:
    """Read ``claims.yaml``."""
    return read_yaml(path, Claims)


def check_claims(
    claims: Claims,
    criteria: Mapping[str, Criterion],
    protocols: Mapping[str, Protocol],
    conflicts: Mapping[str, Conflict],
) -> None:
    """Check the claims against the rules based on them.

    :raises KnowledgeError: a claim names something that does not exist, a pathway or a conflict has no claim, or a
        pathway has a better grade than all of its claims.
    """
    known = set(_names(criteria, protocols, conflicts))
    used: dict[str, list[Grade]] = {}
    for name, claim in claims.claims.items():
        for place in claim.used_in:
            if place not in known:
                raise KnowledgeError(f"claims.yaml: {name}.used_in: there is no {place!r}")
            used.setdefault(place, []).append(claim.grade)
    for conflict in conflicts:
        if f"conflict {conflict}" not in used:
            raise KnowledgeError(f"claims.yaml: conflict {conflict} rests on no claim")
    for protocol in protocols.values():
        for name, pathway in protocol.pathways.items():
            if pathway.steps:
                _check_grade(f"{protocol.id}.yaml: pathways.{name}", pathway.grade, used.get(f"pathway {name}", []))


def _check_grade(where: str, grade: Grade, claimed: list[Grade]) -> None:
    order = list(Grade)
    if not claimed:
        raise KnowledgeError(f"{where}: rests on no claim of claims.yaml")
    if order.index(grade) < min(map(order.index, claimed)):
        raise KnowledgeError(f"{where}.grade: better than every claim that it rests on")


def _names(
    criteria: Mapping[str, Criterion], protocols: Mapping[str, Protocol], conflicts: Mapping[str, Conflict]
) -> Iterable[str]:
    yield from (f"criterion {name}" for name in criteria)
    yield from (f"conflict {name}" for name in conflicts)
    for protocol in protocols.values():
        yield from (f"pathway {name}" for name in protocol.pathways)
        yield from (f"parameter {name}" for name in protocol.parameters)
        yield from (f"factor {name}" for name in protocol.factors)
