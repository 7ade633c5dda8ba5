"""Parts of cards that depend on no patient: made once for the knowledge, and shared by all cards. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache

from cds_hooks.protocol.markdown import plain, table
from cds_hooks.protocol.responses import CardSource, CdsCoding, Link
from mappings.schema.load import Knowledge

MAX_LINKS = 5


class FixedParts:
    """What the cards of one knowledge have in common."""

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


@lru_cache(maxsize=8)
def fixed_parts(knowledge: Knowledge) -> FixedParts:
    """The parts of the cards of this knowledge."""
    return FixedParts(knowledge)
