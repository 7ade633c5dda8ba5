"""Schema of ``_outside.yaml``: the orders on which the service says nothing, and the sentences that explain it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from pydantic import Field

from mappings.schema.base.entries import Entry, Number, Pattern, Reviewed, Verification
from mappings.schema.base.words import any_found, compiled, without


class InsideWords(Entry):
    """What keeps a card."""

    codes: tuple[str, ...]
    """Beginnings of ICD-10-CM codes."""
    words: tuple[Pattern, ...] = Field(min_length=1)
    excluded: tuple[Pattern, ...] = Field(default=(), alias="except")
    """Parts of a text that are taken out before."""
    topics: tuple[str, ...] = Field(min_length=1)
    """Topics of the record that do the same."""

    @cached_property
    def _words(self) -> tuple[re.Pattern[str], ...]:
        return compiled(self.words)

    @cached_property
    def _excluded(self) -> tuple[re.Pattern[str], ...]:
        return compiled(self.excluded)

    def named_in(self, text: str) -> bool:
        """Whether a text in lower case names something of the field."""
        return any_found(self._words, without(self._excluded, text))


class StatedUse(Entry):
    """One use other than depression."""

    title: str
    of: tuple[str, ...] = Field(min_length=1)
    """Treatments, or ``antidepressant``."""
    codes: tuple[str, ...] = ()
    """Beginnings of ICD-10-CM codes."""
    words: tuple[Pattern, ...] = Field(min_length=1)
    """In a stated reason, and behind a lead in instructions."""
    alone: tuple[Pattern, ...] = ()
    """Anywhere in instructions."""
    source: str
    verification: Verification

    @cached_property
    def in_reasons(self) -> tuple[re.Pattern[str], ...]:
        """What states it in a reason."""
        return compiled(self.words + self.alone)

    @cached_property
    def anywhere(self) -> tuple[re.Pattern[str], ...]:
        """What states it wherever it stands in instructions."""
        return compiled(self.alone)

    @cached_property
    def before_a_colon(self) -> tuple[re.Pattern[str], ...]:
        """What states it at the beginning of instructions."""
        return compiled(rf"^\W*(?:[\w/-]+\s+){{0,3}}(?:{pattern})\s*:" for pattern in self.words)


class ServiceWords(Entry):
    """How an order for a service says that it is not for the treatment that it names."""

    drug_orders: tuple[str, ...]
    """Resource types to which this does not apply."""
    title: str
    words: tuple[Pattern, ...] = Field(min_length=1)
    unless: tuple[Pattern, ...]
    source: str
    verification: Verification

    @cached_property
    def _words(self) -> tuple[re.Pattern[str], ...]:
        return compiled(self.words)

    @cached_property
    def _unless(self) -> tuple[re.Pattern[str], ...]:
        return compiled(self.unless)

    def is_said(self, names: Sequence[str], categories: Sequence[str]) -> bool:
        """Whether an order of these names and categories says so, and none of its names that it orders a treatment."""
        if not any_found(self._words, " ".join((*names, *categories)).lower()):
            return False
        return not any(any_found(self._unless, name.lower()) for name in names)


class EncounterWords(Entry):
    """Encounters in which an order that states no use is not for depression."""

    title: str
    of: tuple[str, ...]
    classes: tuple[str, ...] = Field(min_length=1)
    words: tuple[Pattern, ...]
    source: str
    verification: Verification

    @cached_property
    def _words(self) -> tuple[re.Pattern[str], ...]:
        return compiled(self.words)

    def holds(self, classes: Iterable[str], words: Iterable[str]) -> bool:
        """Whether an encounter of these classes, or in these words, is one of them."""
        return not set(self.classes).isdisjoint(classes) or any(any_found(self._words, text.lower()) for text in words)


class RenewalRule(Entry):
    """When an antidepressant is the current one."""

    title: str
    days: Number


class OutsideSentences(Entry):
    """Explanations."""

    stated: str
    product: str
    service: str
    encounter: str
    renewal: str
    foreign: str


class OutsideOrders(Reviewed):
    """``_outside.yaml``."""

    inside: InsideWords
    leads: Pattern
    excluded: tuple[Pattern, ...] = Field(default=(), alias="except")
    """Parts of instructions that state no use."""
    uses: dict[str, StatedUse] = Field(min_length=1)
    services: ServiceWords
    encounters: EncounterWords
    renewals: RenewalRule
    says: OutsideSentences

    @cached_property
    def _leads(self) -> re.Pattern[str]:
        return re.compile(self.leads)

    @cached_property
    def _excluded(self) -> tuple[re.Pattern[str], ...]:
        return compiled(self.excluded)

    @cached_property
    def _behind_a_lead(self) -> Mapping[tuple[Pattern, ...], tuple[re.Pattern[str], ...]]:
        """By the words of a use: they stand at most five words behind a lead."""
        return {
            use.words: compiled(rf"{self.leads}\W*(?:[\w/-]+\s+){{0,5}}?(?:{pattern})" for pattern in use.words)
            for use in self.uses.values()
        }

    def use_in(self, texts: Iterable[str], uses: Iterable[StatedUse]) -> StatedUse | None:
        """The first of the uses that instructions in lower case state.

        It stands behind a lead, or before a colon at the start, or is one that needs no lead.
        """
        stripped = [without(self._excluded, text) for text in texts]
        found = [(text, self._leads.search(text), ":" in text) for text in stripped]
        for use in uses:
            for text, lead, colon in found:
                if (
                    (lead and any_found(self._behind_a_lead[use.words], text))
                    or (colon and any_found(use.before_a_colon, text))
                    or any_found(use.anywhere, text)
                ):
                    return use
        return None

    def source_keys(self) -> Iterator[tuple[str, str]]:
        """Every source key that is used, with the key that uses it."""
        yield from ((f"uses.{name}.source", use.source) for name, use in self.uses.items())
        yield "services.source", self.services.source
        yield "encounters.source", self.encounters.source
        yield "renewals.days.source", self.renewals.days.source
