"""The checklist: every requirement has a test that is there, or a reason."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from tests.support.shipped import load_yaml

TESTS = Path(__file__).parents[2]
FILE = Path(__file__).with_name("checklist.yaml")
LEVELS = {"SHALL": 104, "SHALL NOT": 7, "SHALL*": 43, "SHOULD": 44, "SHOULD NOT": 1, "MAY": 11, "BP": 1, "SURVIVE": 49}
"""How many requirements of each level there are, so that none is lost."""


class Reason(BaseModel):
    """Why a requirement does not apply, or is not tested here."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    reason: str


class Checklist(BaseModel):
    """Section -> id -> level, requirement, proof or reason."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sections: dict[str, dict[str, tuple[str, str, str | Reason]]]

    @property
    def rows(self) -> dict[str, tuple[str, str, str | Reason]]:
        return {name: row for section in self.sections.values() for name, row in section.items()}


@cache
def rows() -> dict[str, tuple[str, str, str | Reason]]:
    return Checklist.model_validate(load_yaml(FILE)).rows


@cache
def functions_of(file: str) -> frozenset[str]:
    """The names of the test functions of a file below ``tests/``; none where there is no such file."""
    path = TESTS / file
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_no_requirement_is_lost() -> None:
    counted = {level: sum(row[0] == level for row in rows().values()) for level in LEVELS}
    assert counted == LEVELS
    assert len(rows()) == sum(LEVELS.values()) == 260


@pytest.mark.parametrize("name", rows())
def test_a_requirement_has_a_proof_or_a_reason(name: str) -> None:
    _, says, proof = rows()[name]
    assert says
    if isinstance(proof, Reason):
        assert len(proof.reason.split()) > 2
        return
    file, _, test = proof.partition("::")
    assert test in functions_of(file), f"{name}: there is no test {proof}"
