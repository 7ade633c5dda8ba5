"""Payers' policies: dated checklists, matched to a Coverage. May know rules and texts; no rule or order knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mappings.schema.base.entries import KnowledgeError
from mappings.schema.base.files import read_named
from mappings.schema.payers.model import PayerPolicy

COVERAGE_INPUT = "coverages"
"""The input that identifies the payer."""


@dataclass(frozen=True)
class Payers:
    """Every policy, including the generic checklists of treatments."""

    policies: Mapping[str, PayerPolicy]

    @cached_property
    def by_treatment(self) -> Mapping[str, tuple[PayerPolicy, ...]]:
        """The policies by treatment."""
        by_treatment: dict[str, tuple[PayerPolicy, ...]] = {}
        for policy in self.policies.values():
            by_treatment[policy.treatment] = (*by_treatment.get(policy.treatment, ()), policy)
        return by_treatment

    def generic(self, treatment: str) -> PayerPolicy | None:
        """The checklist for an unknown payer."""
        return next((policy for policy in self.by_treatment.get(treatment, ()) if policy.matching is None), None)

    def named(self, payer: str, treatment: str) -> PayerPolicy | None:
        """The policy of one payer, by its id."""
        return self.policies.get(f"{payer}.{treatment}")

    def matching(self, payer: str, plan: str, identifiers: frozenset[str], treatment: str) -> tuple[PayerPolicy, ...]:
        """The policies that may apply to a Coverage with these words; those of the plan itself replace all others."""
        matches = [
            policy
            for policy in self.by_treatment.get(treatment, ())
            if policy.matching is not None and policy.matching.fits(payer, plan, identifiers)
        ]
        of_plan = tuple(policy for policy in matches if policy.matching and policy.matching.plans)
        return of_plan or tuple(matches)


def load_payers(folder: Path) -> Payers:
    """Every policy of a folder.

    :raises KnowledgeError: an item id is repeated, or a treatment has two generic checklists.
    """
    policies = read_named(folder, PayerPolicy)
    for policy in policies.values():
        ids = [item.id for item in policy.items]
        if repeated := next((item_id for item_id in ids if ids.count(item_id) > 1), None):
            raise KnowledgeError(f"{policy.id}.yaml: items: {repeated} is listed twice")
    generic = [policy.treatment for policy in policies.values() if policy.matching is None]
    if repeated := next((treatment for treatment in generic if generic.count(treatment) > 1), None):
        raise KnowledgeError(f"payers: {repeated} has two checklists without matching")
    return Payers(policies)
