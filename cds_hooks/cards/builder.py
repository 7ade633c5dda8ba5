"""What every card is made of: the decision, the words, and the shapes that all cards share. Pure.

Text of the record appears only inside code spans (``markdown.py``), never in a summary, because summaries are shown
where nothing escapes them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import date

from cds_hooks.protocol.markdown import plain, quote
from cds_hooks.protocol.responses import Card, CardSource, CdsCoding, Link
from fhir_plugin.deciding.assess import Finding
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.drafts.ordered import NOTHING_ORDERED, OrderedTreatments
from fhir_plugin.facts.fact import Evidence
from fhir_plugin.order_checks.result import CheckedOrder
from fhir_plugin.orders.templates import Templates
from mappings.schema.load import Knowledge
from mappings.schema.rules.protocols import Protocol
from mappings.schema.texts.cards import CardWords

MAX_SUMMARY_LENGTH = 139
MAX_EVIDENCE = 3
MAX_NOTE_LENGTH = 40
"""A longer note on a piece of evidence, such as the story of a trial, is told below the table."""
MAX_LINKS = 5


@dataclass(frozen=True, slots=True)
class CardBasis:
    """What one card rests on: by this it is counted, and known again when it was overridden."""

    rule: str
    """What made the card speak, such as ``criteria:ketamine``; from the knowledge, never from the record."""
    findings: tuple[Finding, ...]
    """The findings that the card shows. The card is the same as an earlier one while these say the same."""
    against: bool = False
    """Whether it tells of a contraindication, or of one that may be there for all that is known, or of a danger."""
    once: bool = False
    """Whether one piece of evidence makes one alert, however the finding is worded on another day."""
    orders: tuple[tuple[str, ...], ...] = ()
    """What the checks say of the orders that it is about; another dose makes it another card."""
    far_out: bool = False
    """Whether one of these orders is far outside what is expected."""


@dataclass(frozen=True, slots=True)
class CardContext:
    """What the cards of one call are made from."""

    decision: Decision
    knowledge: Knowledge
    hook: str
    as_of: date
    foreign_drafts: int
    new_id: Callable[[], str]
    bases: dict[str, CardBasis] = field(default_factory=dict)
    """What each card made so far rests on, by the uuid of the card."""
    ordered: OrderedTreatments = NOTHING_ORDERED
    """What the draft orders of the call are about."""
    checked: tuple[CheckedOrder, ...] = ()
    """What the checks of the draft orders say."""
    templates: Templates | None = None
    """Orders of the protocol, made ready once; without them they are made ready for each card."""

    @property
    def words(self) -> CardWords:
        """The sentences."""
        return self.knowledge.cards

    @property
    def protocol(self) -> Protocol:
        """The protocol that was applied."""
        return self.knowledge.protocols[self.decision.recommendation.protocol]

    def title(self, criterion: str) -> str:
        """What a reader calls a criterion."""
        return self.knowledge.criteria[criterion].title

    def treatment(self, treatment: str) -> str:
        """What a reader calls a treatment."""
        return self.words.treatments[treatment]


def make_card(
    telling: CardContext, basis: CardBasis, summary: str, indicator: str, parts: Iterable[str], sources: Iterable[str]
) -> Card:
    """A card with what every card has; ``parts`` are paragraphs of Markdown, ``sources`` keys of the bibliography."""
    words, identity = telling.words, telling.new_id()
    telling.bases[identity] = basis
    return Card(
        uuid=identity,
        summary=plain(summary, MAX_SUMMARY_LENGTH),
        detail="\n\n".join(part for part in parts if part),
        indicator=indicator,
        source=CardSource(
            label=words.source.format(protocol=telling.protocol.title),
            topic=CdsCoding(system=words.system, code=telling.protocol.id, display=telling.protocol.title),
        ),
        override_reasons=tuple(
            CdsCoding(system=words.system, code=reason.code, display=reason.display)
            for reason in words.override_reasons
        ),
        links=_links(telling, sources),
    )


def pieces(telling: CardContext, evidence: tuple[Evidence, ...]) -> list[str]:
    """The first pieces of evidence in code spans: what the record calls it, when, and which resource."""
    shown = [_piece(each) for each in evidence[:MAX_EVIDENCE]]
    more = len(evidence) - MAX_EVIDENCE
    return [*shown, telling.words.table.more.format(count=more)] if more > 0 else shown


def _piece(evidence: Evidence) -> str:
    note = evidence.note if len(evidence.note) <= MAX_NOTE_LENGTH else ""
    notes = ", ".join(str(each) for each in (evidence.day, note) if each)
    parts = (quote(evidence.label), f"({notes})" if notes else "", quote(evidence.reference))
    return " ".join(part for part in parts if part)


def conflicts(telling: CardContext, criteria: set[str], pathways: Collection[str] = ()) -> list[str]:
    """The matters beside these criteria and ways to go on about which the sources disagree, and what is done here."""
    words, sources = telling.words, telling.knowledge.sources
    told = [
        words.conflict.format(
            topic=conflict.topic,
            positions="; ".join(
                words.position.format(source=sources[key].short, position=said.rstrip("."))
                for key, said in conflict.positions.items()
            ),
            resolution=conflict.resolution,
        )
        for conflict in telling.decision.recommendation.conflicts
        if not criteria.isdisjoint(conflict.criteria) or not set(pathways).isdisjoint(conflict.pathways)
    ]
    return ["\n".join((words.conflicts, "", *told))] if told else []


def _links(telling: CardContext, sources: Iterable[str]) -> tuple[Link, ...]:
    """Where the rules that are shown can be read; only addresses from the bibliography."""
    links: dict[str, Link] = {}
    for key in sources:
        source = telling.knowledge.sources[key]
        url = f"https://doi.org/{source.doi}" if source.doi else source.url
        if url and url not in links:
            label = telling.words.link.format(citation=source.citation)
            links[url] = Link(label=plain(label), url=url, type="absolute")
            if len(links) == MAX_LINKS:
                break
    return tuple(links.values())
