"""The parts that all cards share: the decision, the wording, and the card itself. Pure.

Text of the record appears only inside code spans (``markdown.py``), never in a summary, because summaries are shown
where nothing escapes them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from cds_hooks.protocol.markdown import plain, quote, table
from cds_hooks.protocol.responses import Card, CardSource, CdsCoding, Link
from cds_hooks.settings.settings import Detail
from fhir_plugin.deciding.decide import Decision
from fhir_plugin.deciding.finding import Finding
from fhir_plugin.deciding.headline import MAX_HEADLINE
from fhir_plugin.drafts.ordered import NOTHING_ORDERED, OrderedTreatments
from fhir_plugin.facts.fact import Evidence
from fhir_plugin.order_checks.result import CheckedOrder
from fhir_plugin.orders.templates import Templates
from mappings.schema.load import Knowledge
from mappings.schema.rules.protocols import Protocol
from mappings.schema.texts.cards import CardWords

MAX_SUMMARY_LENGTH = MAX_HEADLINE
MAX_EVIDENCE = 3
MAX_NOTE_LENGTH = 40
"""A longer note on a piece of evidence, such as the history of a trial, is shown below the table."""
MAX_LINKS = 5


@dataclass(frozen=True, slots=True)
class CardBasis:
    """The basis of one card: it is counted by this, and recognised by it after an override."""

    rule: str
    """The rule that produced the card, such as ``criteria:ketamine``; from the knowledge, never from the record."""
    findings: tuple[Finding, ...]
    """The findings that the card shows. The card counts as the same as an earlier one while these are equal."""
    against: bool = False
    """Whether it shows a contraindication, a possible contraindication, or a danger."""
    once: bool = False
    """Whether one piece of evidence gives one alert, even if the finding is worded differently on another day."""
    orders: tuple[tuple[str, ...], ...] = ()
    """The results of the checks of its orders; a different dose makes it a different card."""
    far_out: bool = False
    """Whether one of these orders is far outside the expected range."""


class FixedParts:
    """What the cards of one knowledge have in common: made once, as it depends on no patient."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    @cached_property
    def override_reasons(self) -> tuple[CdsCoding, ...]:
        """The reasons for which a card may be overridden."""
        words = self._knowledge.cards
        return tuple(
            CdsCoding(system=words.system, code=reason.code, display=reason.display)
            for reason in words.override_reasons
        )

    @cached_property
    def sources(self) -> Mapping[str, CardSource]:
        """Whose guidance a card gives, by protocol."""
        words = self._knowledge.cards
        return {
            name: CardSource(
                label=words.source.format(protocol=protocol.title),
                topic=CdsCoding(system=words.system, code=protocol.id, display=protocol.title),
            )
            for name, protocol in self._knowledge.protocols.items()
        }

    @cached_property
    def grades(self) -> Mapping[str, str]:
        """The weakest grade of what is required, by protocol."""
        return {name: protocol.weakest_grade.value for name, protocol in self._knowledge.protocols.items()}

    @cached_property
    def safety_criteria(self) -> frozenset[str]:
        """The criteria that have a card of their own."""
        return frozenset(card.criterion for card in self._knowledge.cards.safety)

    @cached_property
    def table_head(self) -> str:
        """The first two lines of the table of criteria on a brief card."""
        return table(self._knowledge.cards.table.brief_header, [])

    def links(self, sources: Iterable[str]) -> tuple[Link, ...]:
        """Links to the first of the sources that have an address of their own; only addresses from the bibliography."""
        chosen: dict[str, Link] = {}
        for key in dict.fromkeys(sources):
            link = self._links[key]
            if link is not None and chosen.setdefault(link.url, link) is link and len(chosen) == MAX_LINKS:
                break
        return tuple(chosen.values())

    @cached_property
    def _links(self) -> Mapping[str, Link | None]:
        """The link to each source; ``None`` for one without an address."""
        words, links = self._knowledge.cards, dict[str, Link | None]()
        for key, source in self._knowledge.sources.items():
            url = f"https://doi.org/{source.doi}" if source.doi else source.url
            label = plain(words.link.format(citation=source.citation))
            links[key] = Link(label=label, url=url, type="absolute") if url else None
        return links


@dataclass(frozen=True, slots=True)
class CardContext:
    """The inputs of the cards of one call."""

    decision: Decision
    knowledge: Knowledge
    hook: str
    as_of: date
    foreign_drafts: int
    new_id: Callable[[], str]
    bases: dict[str, CardBasis] = field(default_factory=dict)
    """The bases of the cards built so far, by the uuid of the card."""
    ordered: OrderedTreatments = NOTHING_ORDERED
    """What the draft orders of the call contain."""
    checked: tuple[CheckedOrder, ...] = ()
    """The results of the checks of the draft orders."""
    detail: Detail = "brief"
    """``full``: the whole reasoning on the card."""
    has_app: bool = False
    """Whether the client can open the app, which shows the basis of the card."""
    templates: Templates | None = None
    """The order templates of the protocol, built once; if ``None``, they are built for every card."""

    @property
    def words(self) -> CardWords:
        """The sentences."""
        return self.knowledge.cards

    @property
    def fixed(self) -> FixedParts:
        """What the cards of this knowledge have in common."""
        return self.knowledge.once(FixedParts)

    @property
    def protocol(self) -> Protocol:
        """The protocol that was applied."""
        return self.knowledge.protocols[self.decision.recommendation.protocol]

    @property
    def overdue(self) -> str:
        """A sentence where the review of what the card rests on is overdue, else empty."""
        knowledge = self.knowledge
        due = min(
            self.protocol.review_due,
            knowledge.criteria_due,
            knowledge.orders.review_due,
            knowledge.order_checks.review_due,
        )
        return self.words.review_overdue.format(day=due) if due <= self.as_of else ""

    def title(self, criterion: str) -> str:
        """The title of a criterion."""
        return self.knowledge.criteria[criterion].title

    def treatment(self, treatment: str) -> str:
        """The name of a treatment."""
        return self.words.treatments[treatment]


def make_card(
    context: CardContext, basis: CardBasis, summary: str, indicator: str, parts: Iterable[str], sources: Iterable[str]
) -> Card:
    """A card with the parts that all cards share; ``parts`` are Markdown paragraphs, ``sources`` bibliography keys."""
    fixed, identity = context.fixed, context.new_id()
    context.bases[identity] = basis
    return Card(
        uuid=identity,
        summary=plain(summary, MAX_SUMMARY_LENGTH),
        detail="\n\n".join(part for part in parts if part),
        indicator=indicator,
        source=fixed.sources[context.decision.recommendation.protocol],
        override_reasons=fixed.override_reasons,
        links=fixed.links(sources),
    )


def pieces(context: CardContext, evidence: tuple[Evidence, ...]) -> list[str]:
    """The first pieces of evidence as code spans: label, date and resource."""
    shown = [_piece(item) for item in evidence[:MAX_EVIDENCE]]
    more = len(evidence) - MAX_EVIDENCE
    return [*shown, context.words.table.more.format(count=more)] if more > 0 else shown


def _piece(evidence: Evidence) -> str:
    note = evidence.note if len(evidence.note) <= MAX_NOTE_LENGTH else ""
    notes = ", ".join(str(part) for part in (evidence.day, note) if part)
    parts = (quote(evidence.label), f"({notes})" if notes else "", quote(evidence.reference))
    return " ".join(part for part in parts if part)


def conflicts(context: CardContext, criteria: set[str], pathways: Collection[str] = ()) -> list[str]:
    """The questions about these criteria and pathways on which the sources disagree, and how they are resolved here."""
    words, sources = context.words, context.knowledge.sources
    lines = [
        words.conflict.format(
            topic=conflict.topic,
            positions="; ".join(
                words.position.format(source=sources[key].short, position=position.rstrip("."))
                for key, position in conflict.positions.items()
            ),
            resolution=conflict.resolution,
        )
        for conflict in context.decision.recommendation.conflicts
        if not criteria.isdisjoint(conflict.criteria) or not set(pathways).isdisjoint(conflict.pathways)
    ]
    return ["\n".join((words.conflicts, "", *lines))] if lines else []
