"""Payers' policies: dated checklists, found by what a Coverage says. They inform, and decide nothing clinical."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mappings.schema.base.entries import KnowledgeError
from mappings.schema.base.files import read_named
from mappings.schema.payers.model import PayerPolicy

COVERAGE_INPUT = "coverages"
"""The input that says who the payer is."""


@dataclass(frozen=True)
class Payers:
    """Every policy, and the generic checklist of each treatment that has one."""

    policies: Mapping[str, PayerPolicy]

    @cached_property
    def by_treatment(self) -> Mapping[str, tuple[PayerPolicy, ...]]:
        """The policies about each treatment that there are some about."""
        found: dict[str, tuple[PayerPolicy, ...]] = {}
        for policy in self.policies.values():
            found[policy.treatment] = (*found.get(policy.treatment, ()), policy)
        return found

    def generic(self, treatment: str) -> PayerPolicy | None:
        """The checklist for a payer that is not known."""
        return next((each for each in self.by_treatment.get(treatment, ()) if each.matching is None), None)

    def named(self, payer: str, treatment: str) -> PayerPolicy | None:
        """The policy of one payer, by its id."""
        return self.policies.get(f"{payer}.{treatment}")

    def matching(self, payer: str, plan: str, identifiers: frozenset[str], treatment: str) -> tuple[PayerPolicy, ...]:
        """The policies that may apply to a Coverage of these words; those for the very plan before all others."""
        found = [
            policy
            for policy in self.by_treatment.get(treatment, ())
            if policy.matching is not None and policy.matching.fits(payer, plan, identifiers)
        ]
        planned = tuple(policy for policy in found if policy.matching and policy.matching.plans)
        return planned or tuple(found)


def load_payers(folder: Path) -> Payers:
    """Every policy of a folder.

    :raises KnowledgeError: an item stands twice, or a treatment has two generic checklists.
    """
    policies = read_named(folder, PayerPolicy)
    for policy in policies.values():
        ids = [item.id for item in policy.items]
        if twice := next((each for each in ids if ids.count(each) > 1), None):
            raise KnowledgeError(f"{policy.id}.yaml: items: {twice} stands twice")
    generic = [policy.treatment for policy in policies.values() if policy.matching is None]
    if twice := next((each for each in generic if generic.count(each) > 1), None):
        raise KnowledgeError(f"payers: {twice} has two checklists without matching")
    return Payers(policies)
