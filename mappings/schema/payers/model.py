"""One payer's policy for one treatment: to which coverage it applies, and the items of its checklist."""

from __future__ import annotations

import re
from datetime import date
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, Number, Reviewed, Verification
from mappings.schema.rules.criteria import Ask, Comparator, Criterion

OPEN = "open"
"""The value of ``duration`` when the trial duration that a policy requires was not seen."""


class Matching(Entry):
    """How a Coverage is recognised as this payer's; all in lower case, matched as whole words."""

    names: dict[Verification, tuple[str, ...]]
    """Names of the payer, by how they were verified."""
    unless: tuple[str, ...] = ()
    """Words that identify a different payer."""
    plans: tuple[str, ...] = ()
    """Words of which one must occur in the payer, the plan or the type; such a policy takes precedence."""
    identifiers: tuple[str, ...] = ()
    """``system|value`` of the payer."""

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
        names = [name for names in self.names.values() for name in names]
        return _any_word(names), _any_word(self.unless), _any_word(self.plans)

    def fits(self, payer: str, plan: str, identifiers: frozenset[str]) -> bool:
        """Whether these texts of payer and plan, or an identifier, match."""
        names, exclusions, plans = self._patterns
        if not names.search(payer) and identifiers.isdisjoint(self.identifiers):
            return False
        everything = f"{payer} {plan}"
        return not exclusions.search(everything) and (not self.plans or bool(plans.search(everything)))


def _any_word(words: list[str] | tuple[str, ...]) -> re.Pattern[str]:
    if not words:
        return re.compile(r"(?!)")
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)")


class _ChecklistItem(Entry):
    id: str
    title: str
    """What the policy requires, in our words."""
    settle: str = ""
    """What would answer it if the record does not."""


class TrialsItem(_ChecklistItem):
    """A minimum number of failed antidepressant trials."""

    check: Literal["trials"]
    count: Literal["trials", "classes"] = "trials"
    at_least: Number
    duration: str
    """A trial policy; ``open``: the payer's own was not seen, so only what all policies agree on is stated."""
    or_intolerance: bool = False
    """Whether a drug that was not tolerated also counts."""

    @property
    def counted(self) -> str:
        """What is counted, as a key of ``dossier.yaml``."""
        return f"{self.count}_or_intolerance" if self.or_intolerance else self.count


class ScoreItem(_ChecklistItem):
    """A recent score at or above the limit, on one of several scales."""

    check: Literal["score"]
    at_least: dict[str, Number] = Field(default_factory=dict)
    """By instrument; one reached limit is sufficient."""
    recorded: tuple[str, ...] = ()
    """Instruments of which one must have been completed, if no limit is set."""
    max_age_days: Number

    @model_validator(mode="after")
    def _some_scale(self) -> Self:
        if not self.at_least and not self.recorded:
            raise ValueError("either at_least or recorded names the scales")
        return self


class CriterionItem(_ChecklistItem):
    """An item answered by one of our criteria."""

    check: Literal["criterion"]
    criterion: str
    expect: Literal["met", "not_met"]
    agrees: Literal["met", "open"] = "met"
    """``open``: the criterion covers only a part of what the policy names, so its absence proves nothing."""
    contrary: Literal["not_met", "open"] = "not_met"
    """``open``: a finding has to be documented and does not by itself fail the item."""
    past_is_open: bool = False
    """Whether an ended entry leaves the item open, because the policy looks back further than our criterion."""


class PresenceItem(_ChecklistItem):
    """Something that must be on the record."""

    check: Literal["presence"]
    fact: str
    compare: Literal[Comparator.PRESENT, Comparator.EVER] = Comparator.PRESENT
    absence: Literal["not_met", "open"] = "not_met"
    """``open``: it may have happened elsewhere, so its absence from the record proves nothing."""


class UnanswerableItem(_ChecklistItem):
    """An item that the record cannot answer."""

    check: Literal["beyond"]


Item = Annotated[TrialsItem | ScoreItem | CriterionItem | PresenceItem | UnanswerableItem, Field(discriminator="check")]


class PayerPolicy(Reviewed):
    """``<payer>.<treatment>.yaml``."""

    id: str
    title: str
    """The payer and the name of the policy."""
    effective: date | None = None
    """``None``: not seen."""
    source: str
    verification: Verification
    matching: Matching | None = None
    """``None``: the generic checklist of a treatment."""
    note: str = ""
    items: tuple[Item, ...] = Field(min_length=1)

    @cached_property
    def payer(self) -> str:
        """The payer, as in the command-line option."""
        return self.id.partition(".")[0]

    @cached_property
    def treatment(self) -> str:
        """The treatment that it covers."""
        return self.id.partition(".")[2]

    @cached_property
    def comparisons(self) -> dict[str, Criterion]:
        """The items that compare a fact, as criteria, by item id."""
        return {item.id: criterion for item in self.items if (criterion := self._comparison(item))}

    @cached_property
    def numbers(self) -> dict[str, Number]:
        """Every number of the policy, by key in the file."""
        numbers: dict[str, Number] = {}
        for item in self.items:
            if isinstance(item, TrialsItem):
                numbers[f"{item.id}.at_least"] = item.at_least
            elif isinstance(item, ScoreItem):
                numbers |= {f"{item.id}.at_least.{name}": number for name, number in item.at_least.items()}
                numbers[f"{item.id}.max_age_days"] = item.max_age_days
        return numbers

    def _comparison(self, item: Item) -> Criterion | None:
        if isinstance(item, TrialsItem):
            return self._criterion(item, ("trials.failed",), Comparator.AT_LEAST, limit=item.at_least)
        if isinstance(item, ScoreItem):
            limits = {f"scores.{name}.latest": number for name, number in item.at_least.items()}
            facts = tuple(limits) or tuple(f"scores.{name}.latest" for name in item.recorded)
            compare = Comparator.AT_LEAST if limits else Comparator.RECORDED
            return self._criterion(item, facts, compare, limits=limits, max_age_days=item.max_age_days)
        if isinstance(item, PresenceItem):
            return self._criterion(item, (item.fact,), item.compare)
        return None

    def _criterion(self, item: Item, facts: tuple[str, ...], compare: Comparator, **more: object) -> Criterion:
        content = {
            "id": f"{self.id}:{item.id}",
            "title": item.title,
            "statement": item.title,
            "reviewed": self.reviewed,
            "review_due": self.review_due,
            "facts": facts,
            "compare": compare,
            "among": "recorded" if len(facts) > 1 else "any",
            "sources": (self.source,),
            "ask": Ask(datum=item.id, words=item.settle),
        }
        return Criterion.model_validate(content | more)
