"""Drugs that may interact with the treatments, by group of the medication tables or by ingredient."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, KnowledgeError, Number, Reviewed
from mappings.schema.base.files import read_yaml
from mappings.schema.medications import Medications


class DrugGroup(Entry):
    """Ingredients that share one kind of interaction."""

    title: str
    groups: frozenset[str] = frozenset()
    ingredients: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _some_drug(self) -> Self:
        if not self.groups and not self.ingredients:
            raise ValueError("names no group and no ingredient, so that no drug would ever be found")
        return self


class Interactions(Reviewed):
    """The groups, and which prescriptions count as current."""

    current_days: Number
    dispensed_days: Number
    """For how long a dispense counts as current, unless its stated supply lasts longer."""
    active: frozenset[str] = Field(min_length=1)
    """Statuses of an order or a statement that is in force."""
    open: frozenset[str]
    """Statuses that leave open whether it is active."""
    not_given: frozenset[str]
    dispensed: frozenset[str] = Field(min_length=1)
    """Statuses of a dispense that was handed over."""
    not_dispensed: frozenset[str]
    drugs: dict[str, DrugGroup]

    def groups_of(self, ingredient: str, medications: Medications) -> list[str]:
        """The names of the groups that an ingredient belongs to."""
        ingredient_groups = medications.ingredients[ingredient].groups
        return [
            name
            for name, group in self.drugs.items()
            if ingredient in group.ingredients or not ingredient_groups.isdisjoint(group.groups)
        ]


def load_interactions(path: Path, medications: Medications) -> Interactions:
    """Read ``interactions.yaml``; a group or an ingredient missing from the tables is an error."""
    interactions = read_yaml(path, Interactions)
    groups = frozenset(group for ingredient in medications.ingredients.values() for group in ingredient.groups)
    for name, drug in interactions.drugs.items():
        if unknown := (drug.groups - groups) | (drug.ingredients - medications.ingredients.keys()):
            raise KnowledgeError(
                f"{path.name}: drugs.{name}: not in the medication tables: {', '.join(sorted(unknown))}"
            )
    return interactions
