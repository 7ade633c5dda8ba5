"""Without a rule of the tables, or by the name of a mutant without one of the code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import BaseModel

from fhir_plugin.facts.medications.sigs.grammar import SigParser
from fhir_plugin.facts.medications.sigs.stages import NotUnderstood
from mappings.schema.medications import Medications
from tests.support.medications.mutants.registry import MUTANTS


def changed(place: Any, path: str, how: Callable[[Any], Any]) -> Any:
    """A copy of ``place`` in which ``how`` was done to what stands at ``path``; ``a|b`` is a key of two words."""
    if not path:
        return how(place)
    name, _, rest = path.partition("/")
    if isinstance(place, Mapping):
        key = tuple(name.split("|")) if "|" in name else name
        return {**place, key: changed(place[key], rest, how)}
    value = changed(getattr(place, name), rest, how)
    if isinstance(place, BaseModel):
        return type(place).model_construct(
            **{**{field: getattr(place, field) for field in place.model_fields_set}, name: value}
        )
    return (
        place._replace(**{name: value}) if hasattr(place, "_replace") else dataclasses.replace(place, **{name: value})
    )


def without(held: Any, item: str) -> Any:
    """A set, a tuple or a mapping without one of its items, which it must have."""
    key = tuple(item.split("|")) if "|" in item else item
    assert key in held, item
    if isinstance(held, Mapping):
        return {name: value for name, value in held.items() if name != key}
    return type(held)(each for each in held if each != key)


def mutated(known: Medications, how: Mapping[str, Any], patch: pytest.MonkeyPatch) -> Medications:
    """The knowledge with one rule taken away; a rule of the code is patched away."""
    for path, value in how.get("set", {}).items():
        known = changed(known, path, lambda old, value=value: type(old)(value))
    for path, items in how.get("drop", {}).items():
        for item in items:
            known = changed(known, path, lambda held, item=item: without(held, item))
    for use in how.get("forget_use", ()):
        plain = {code: p._replace(use="") if p.use == use else p for code, p in known.products.items()}
        known = dataclasses.replace(known, products=plain)
    for kind in how.get("refuse", ()):
        patch.setitem(SigParser._HANDLERS, kind, _refused)  # type: ignore[arg-type]
    if "code" in how:
        known = MUTANTS[how["code"]](patch, known) or known
    return known


def _refused(reader: SigParser) -> None:
    raise NotUnderstood
