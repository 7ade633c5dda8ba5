"""Drugs that may interact with the treatments, by group of the medication tables or by ingredient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, KnowledgeError, Number, Reviewed
from mappings.schema.base.files import read_yaml
from mappings.schema.medications import Medications


class Washout(Entry):
    """Days after a dose during which some ingredients still count as taken."""

    ingredients: frozenset[str] = Field(min_length=1)
    days: Number


class DrugGroup(Entry):
    """Ingredients that share one kind of interaction."""

    title: str
    groups: frozenset[str] = frozenset()
    ingredients: frozenset[str] = frozenset()
    not_beside: frozenset[str] = frozenset()
    """Groups of another ingredient of the same product beside which it does not count."""
    washout: tuple[Washout, ...] = ()
    """For how long the effect lasts after the last dose."""

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
    over: frozenset[str] = Field(min_length=1)
    """Statuses of one that has ended; any other leaves open whether it is in force."""
    not_given: frozenset[str]
    dispensed: frozenset[str] = Field(min_length=1)
    """Statuses of a dispense that was handed over."""
    not_dispensed: frozenset[str]
    supplied: frozenset[str] = frozenset()
    """Statuses of an order that is over although its recorded supply may still be in use."""
    administered_days: Number
    """For how long a drug that was given by staff counts as current."""
    depots: tuple[Washout, ...] = ()
    """Ingredients that are given as an injection or implant with a longer effect."""
    drugs: dict[str, DrugGroup]

    def groups_of_product(self, ingredients: Sequence[str], medications: Medications) -> Iterator[tuple[str, str]]:
        """The groups of a product with these ingredients, each with the ingredient that belongs to it."""
        groups = {ingredient: medications.ingredients[ingredient].groups for ingredient in ingredients}
        for ingredient, own in groups.items():
            beside = {group for other, theirs in groups.items() if other != ingredient for group in theirs}
            for name, drug in self.drugs.items():
                belongs = ingredient in drug.ingredients or not own.isdisjoint(drug.groups)
                if belongs and beside.isdisjoint(drug.not_beside):
                    yield name, ingredient

    def days_after_administration(self, ingredients: str) -> float:
        """How long one administration of ingredients that are written with ``/`` between them counts as current."""
        names = frozenset(ingredients.split("/"))
        depots = [rule.days.value for rule in self.depots if names & rule.ingredients]
        return max((self.administered_days.value, *depots))

    @property
    def longest_after_administration(self) -> float:
        """How long an administration of any drug may count."""
        return max((self.administered_days.value, *(rule.days.value for rule in self.depots)))

    def washout_days(self, group: str, ingredients: str) -> float:
        """The longest washout in a group of ingredients that are written with ``/`` between them; 0 where none is."""
        names = frozenset(ingredients.split("/"))
        return max((rule.days.value for rule in self.drugs[group].washout if names & rule.ingredients), default=0)


def load_interactions(path: Path, medications: Medications) -> Interactions:
    """Read ``interactions.yaml``; a group or an ingredient missing from the tables is an error."""
    interactions = read_yaml(path, Interactions)
    groups = frozenset(group for ingredient in medications.ingredients.values() for group in ingredient.groups)
    for name, drug in interactions.drugs.items():
        named = drug.ingredients.union(*(rule.ingredients for rule in (*drug.washout, *interactions.depots)))
        if unknown := ((drug.groups | drug.not_beside) - groups) | (named - medications.ingredients.keys()):
            raise KnowledgeError(
                f"{path.name}: drugs.{name}: not in the medication tables: {', '.join(sorted(unknown))}"
            )
    return interactions
