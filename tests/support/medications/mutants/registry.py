"""The mutants of the code by name, and the two ways in which most of them change a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from mappings.schema.medications import Medications

Mutant: TypeAlias = Callable[[pytest.MonkeyPatch, Medications], Medications | None]
MUTANTS: dict[str, Mutant] = {}


def mutant(break_it: Mutant) -> Mutant:
    MUTANTS[break_it.__name__] = break_it
    return break_it


def nothing(*_: Any, **__: Any) -> None:
    return None


def before(patch: pytest.MonkeyPatch, module: Any, name: str, change: Callable[[Any], Any]) -> None:
    """Change the first argument of a function."""
    kept = getattr(module, name)
    patch.setattr(module, name, lambda first, *rest, **named: kept(change(first), *rest, **named))


def after(patch: pytest.MonkeyPatch, module: Any, name: str, change: Callable[[Any], Any]) -> None:
    """Change what a function returns."""
    kept = getattr(module, name)
    patch.setattr(module, name, lambda *each, **named: change(kept(*each, **named)))
