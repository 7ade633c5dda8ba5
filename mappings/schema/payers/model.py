"""One payer's policy for one treatment: whom it is for, and the items of its checklist."""

from __future__ import annotations

import re
from datetime import date
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, Number, Reviewed, Verification
from mappings.schema.rules.criteria import Ask, Comparator, Criterion

OPEN = "open"
"""The duration of a trial that a policy asks for was not seen."""


class Matching(Entry):
    """How a Coverage shows that it is this payer's; all in lower case, as whole words."""

    names: dict[Verification, tuple[str, ...]]
    """What the payer is called, by where the name comes from."""
    unless: tuple[str, ...] = ()
    """Words that say it is another's."""
    plans: tuple[str, ...] = ()
    """Words of which one must be among those of the payer, the plan or the type; such a policy comes before others."""
    identifiers: tuple[str, ...] = ()
    """``system|value`` of the payer."""

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
        names = [name for names in self.names.values() for name in names]
        return _any_word(names), _any_word(self.unless), _any_word(self.plans)

    def fits(self, payer: str, plan: str, identifiers: frozenset[str]) -> bool:
        """Whether a payer of these words, with a plan of those, is the one meant."""
        named, other, planned = self._patterns
        if not named.search(payer) and identifiers.isdisjoint(self.identifiers):
            return False
        everything = f"{payer} {plan}"
        return not other.search(everything) and (not self.plans or bool(planned.search(everything)))


def _any_word(words: list[str] | tuple[str, ...]) -> re.Pattern[str]:
    if not words:
        return re.compile(r"(?!)")
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)")


class _ChecklistItem(Entry):
    id: str
    title: str
    """What the policy asks for, in our words."""
    settle: str = ""
    """What would settle it where the record does not."""


class TrialsItem(_ChecklistItem):
    """So many antidepressant trials that failed."""

    check: Literal["trials"]
    count: Literal["trials", "classes"] = "trials"
    at_least: Number
    duration: str
    """A policy of the trial engine; ``open``: its own was not seen, so only what holds for all of them is said."""
    or_intolerance: bool = False
    """Whether a drug that was not tolerated counts as well."""

    @property
    def counted(self) -> str:
        """What is counted, as a key of ``dossier.yaml``."""
        return f"{self.count}_or_intolerance" if self.or_intolerance else self.count


class ScoreItem(_ChecklistItem):
    """A score of one of several scales, high enough and young enough."""

    check: Literal["score"]
    at_least: dict[str, Number] = Field(default_factory=dict)
    """By instrument: reaching one is enough."""
    recorded: tuple[str, ...] = ()
    """Instruments of which one must have been taken, where no limit is asked."""
    max_age_days: Number

    @model_validator(mode="after")
    def _some_scale(self) -> Self:
        if not self.at_least and not self.recorded:
            raise ValueError("either at_least or recorded names the scales")
        return self


class CriterionItem(_ChecklistItem):
    """What one of our criteria answers."""

    check: Literal["criterion"]
    criterion: str
    expect: Literal["met", "not_met"]
    agrees: Literal["met", "open"] = "met"
    """``open``: the criterion looks for a part of what the policy names, so that its absence says nothing."""
    contrary: Literal["not_met", "open"] = "not_met"
    """``open``: what is found has to be documented, and does not by itself speak against it."""
    past_is_open: bool = False
    """Whether an entry that has ended leaves the item open, because the policy looks back further than we do."""


class PresenceItem(_ChecklistItem):
    """Something that has to be on the record."""

    check: Literal["presence"]
    fact: str
    compare: Literal[Comparator.PRESENT, Comparator.EVER] = Comparator.PRESENT
    absence: Literal["not_met", "open"] = "not_met"
    """``open``: it may have happened elsewhere, so that its absence from the record says nothing."""


class UnanswerableItem(_ChecklistItem):
    """What the record cannot answer."""

    check: Literal["beyond"]


Item = Annotated[TrialsItem | ScoreItem | CriterionItem | PresenceItem | UnanswerableItem, Field(discriminator="check")]


class PayerPolicy(Reviewed):
    """``<payer>.<treatment>.yaml``."""

    id: str
    title: str
    """The payer and what the policy is called."""
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
        """The payer, as an option of the command line names it."""
        return self.id.partition(".")[0]

    @cached_property
    def treatment(self) -> str:
        """The treatment that it is about."""
        return self.id.partition(".")[2]

    @cached_property
    def comparisons(self) -> dict[str, Criterion]:
        """The items that compare a fact, as criteria of their own, by item."""
        return {item.id: made for item in self.items if (made := self._comparison(item))}

    @cached_property
    def numbers(self) -> dict[str, Number]:
        """Every number of the policy by its key in the file."""
        found: dict[str, Number] = {}
        for item in self.items:
            if isinstance(item, TrialsItem):
                found[f"{item.id}.at_least"] = item.at_least
            elif isinstance(item, ScoreItem):
                found |= {f"{item.id}.at_least.{name}": number for name, number in item.at_least.items()}
                found[f"{item.id}.max_age_days"] = item.max_age_days
        return found

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
