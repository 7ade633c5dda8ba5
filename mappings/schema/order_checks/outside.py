"""Schema of ``_outside.yaml``: the orders on which the service says nothing, and the sentences that explain it."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from mappings.schema.base.entries import Entry, Number, Pattern, Reviewed, Verification


class InsideWords(Entry):
    """What keeps a card."""

    codes: tuple[str, ...]
    """Beginnings of ICD-10-CM codes."""
    words: tuple[Pattern, ...] = Field(min_length=1)
    excluded: tuple[Pattern, ...] = Field(default=(), alias="except")
    """Parts of a text that are taken out before."""
    topics: tuple[str, ...] = Field(min_length=1)
    """Topics of the record that do the same."""


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


class ServiceWords(Entry):
    """How an order for a service says that it is not for the treatment that it names."""

    drug_orders: tuple[str, ...]
    """Resource types to which this does not apply."""
    title: str
    words: tuple[Pattern, ...] = Field(min_length=1)
    unless: tuple[Pattern, ...]
    source: str
    verification: Verification


class EncounterWords(Entry):
    """Encounters in which an order that states no use is not for depression."""

    title: str
    of: tuple[str, ...]
    classes: tuple[str, ...] = Field(min_length=1)
    words: tuple[Pattern, ...]
    source: str
    verification: Verification


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

    def source_keys(self) -> Iterator[tuple[str, str]]:
        """Every source key that is used, with the key that uses it."""
        yield from ((f"uses.{name}.source", use.source) for name, use in self.uses.items())
        yield "services.source", self.services.source
        yield "encounters.source", self.encounters.source
        yield "renewals.days.source", self.renewals.days.source
