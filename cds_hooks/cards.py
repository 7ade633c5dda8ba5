"""Recommendations as cards: one by default, honest and short, in the words of ``mappings/cards.yaml``. Pure.

A suicide signal has a card of its own before every other. Text of the record appears only inside code spans
(``markdown.py``), never in a summary, because summaries are shown where nothing escapes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from cds_hooks.markdown import plain, quote, table
from cds_hooks.protocol import Card, Coding, Link, Source
from fhir_plugin.assess import Finding, Verdict
from fhir_plugin.decide import Decision
from fhir_plugin.facts.fact import Evidence
from fhir_plugin.recommend import Recommendation, Standing, TreatmentAnswer, Weighed
from mappings.cards import CardWords, OwnCard, StandingKey
from mappings.load import Knowledge
from mappings.model import Grade
from mappings.protocols import Protocol, Role

LONGEST_SUMMARY = 139
MOST_EVIDENCE = 3
MOST_LINKS = 5


@dataclass(frozen=True, slots=True)
class Telling:
    """What the cards of one call are made from."""

    decision: Decision
    knowledge: Knowledge
    hook: str
    as_of: date
    foreign_drafts: int
    new_id: Callable[[], str]

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


def safety_cards(telling: Telling) -> tuple[Card, ...]:
    """The cards that come before every other: one for each safety criterion that is met."""
    return tuple(
        _own_card(telling, own, finding)
        for own in telling.words.safety
        if (finding := telling.decision.finding(own.criterion)) and finding.verdict is Verdict.MET
    )


def antidepressant_card(telling: Telling) -> tuple[Card, ...]:
    """One card when another antidepressant is ordered although two adequate trials failed, else none."""
    own = telling.words.another_antidepressant
    finding = telling.decision.finding(own.criterion)
    return (_own_card(telling, own, finding),) if finding and finding.verdict is Verdict.MET else ()


def criteria_card(telling: Telling) -> Card:
    """The card with the criteria of what is ordered, or of the protocol's focus."""
    answer = _foremost(telling.decision.recommendation, telling.protocol)
    return _card(
        telling,
        summary=_summary(telling, answer),
        indicator=telling.words.indicators[telling.hook][_key(answer.standing)],
        parts=_detail(telling, answer),
        sources=(source for weighed in answer.weighed if _is_shown(weighed) for source in weighed.finding.sources),
    )


def _foremost(recommendation: Recommendation, protocol: Protocol) -> TreatmentAnswer:
    """The treatment that the card is about: of those ordered the one with the strongest standing."""
    about = recommendation.ordered or (protocol.focus,)
    answers = [answer for answer in recommendation.treatments if answer.treatment in about]
    return min(answers, key=lambda answer: list(Standing).index(answer.standing))


def _own_card(telling: Telling, own: OwnCard, finding: Finding) -> Card:
    evidence = ", ".join(_evidence(telling, finding.evidence))
    parts = [own.lead, f"{finding.because} {evidence}".strip(), *_conflicts(telling, {finding.criterion})]
    return _card(telling, own.summary, own.indicator, [*parts, telling.words.disclaimer], finding.sources)


def _card(telling: Telling, summary: str, indicator: str, parts: Iterable[str], sources: Iterable[str]) -> Card:
    words = telling.words
    return Card(
        uuid=telling.new_id(),
        summary=plain(summary, LONGEST_SUMMARY),
        detail="\n\n".join(part for part in parts if part),
        indicator=indicator,
        source=Source(
            label=words.source.format(protocol=telling.protocol.title),
            topic=Coding(system=words.system, code=telling.protocol.id, display=telling.protocol.title),
        ),
        override_reasons=tuple(
            Coding(system=words.system, code=reason.code, display=reason.display) for reason in words.override_reasons
        ),
        links=_links(telling, sources),
    )


# The summary


def _summary(telling: Telling, answer: TreatmentAnswer) -> str:
    required = [weighed for weighed in answer.weighed if weighed.role is Role.REQUIRED]
    met = [weighed for weighed in required if weighed.finding.verdict is Verdict.MET]
    return telling.words.summary[_key(answer.standing)].format(
        treatment=telling.treatment(answer.treatment),
        criteria=", ".join(telling.title(weighed.finding.criterion) for weighed in _deciding(answer)),
        met=len(met),
        required=len(required),
    )


def _deciding(answer: TreatmentAnswer) -> list[Weighed]:
    """The findings that made the standing what it is."""
    decisive = {
        Standing.CONTRAINDICATED: {(Role.CONTRAINDICATION, Verdict.MET)},
        Standing.NOT_MET: {(Role.REQUIRED, Verdict.NOT_MET)},
        Standing.UNKNOWN: {(Role.REQUIRED, Verdict.UNKNOWN), (Role.CONTRAINDICATION, Verdict.UNKNOWN)},
        Standing.MET: set(),
    }[answer.standing]
    return [weighed for weighed in answer.weighed if (weighed.role, weighed.finding.verdict) in decisive]


# The detail


def _detail(telling: Telling, answer: TreatmentAnswer) -> list[str]:
    words = telling.words
    shown = [weighed for weighed in answer.weighed if _is_shown(weighed)]
    return [
        words.lead[_key(answer.standing)].format(treatment=telling.treatment(answer.treatment)),
        _others(telling, answer),
        table(words.table.header, [_row(telling, weighed) for weighed in sorted(shown, key=_urgency)]),
        _not_found(telling, answer),
        _asks(telling),
        *_conflicts(telling, {weighed.finding.criterion for weighed in shown}),
        _gaps(telling),
        _overdue(telling),
        _basis(telling),
        words.disclaimer,
    ]


def _is_shown(weighed: Weighed) -> bool:
    """What is required or expected always has its row; the rest when there is something to say about it."""
    if weighed.role in {Role.REQUIRED, Role.EXPECTED}:
        return True
    if weighed.role is Role.CONTEXT:
        return weighed.finding.verdict is Verdict.MET
    return weighed.finding.verdict is not Verdict.NOT_MET


def _urgency(weighed: Weighed) -> int:
    """Unknowns first, because they are what a reader can settle; then what speaks against; then the rest."""
    if weighed.finding.verdict is Verdict.UNKNOWN:
        return 0 if weighed.role in {Role.REQUIRED, Role.CONTRAINDICATION} else 2
    against = {(Role.CONTRAINDICATION, Verdict.MET), (Role.REQUIRED, Verdict.NOT_MET)}
    return 1 if (weighed.role, weighed.finding.verdict) in against else 3


def _row(telling: Telling, weighed: Weighed) -> tuple[str, ...]:
    finding, words = weighed.finding, telling.words.table
    gaps = f" ({'; '.join(finding.missing)})" if finding.missing else ""
    return (
        telling.title(finding.criterion),
        finding.because if not gaps or finding.missing[0] in finding.because else finding.because + gaps,
        ", ".join(_evidence(telling, finding.evidence)) or words.no_record,
        words.verdicts[weighed.role][finding.verdict.value],
    )


def _evidence(telling: Telling, evidence: tuple[Evidence, ...]) -> list[str]:
    """The first pieces of evidence in code spans: what the record calls it, when, and which resource."""
    shown = [_piece(each) for each in evidence[:MOST_EVIDENCE]]
    more = len(evidence) - MOST_EVIDENCE
    return [*shown, telling.words.table.more.format(count=more)] if more > 0 else shown


def _piece(evidence: Evidence) -> str:
    notes = ", ".join(str(note) for note in (evidence.day, evidence.note) if note)
    parts = (quote(evidence.label), f"({notes})" if notes else "", quote(evidence.reference))
    return " ".join(part for part in parts if part)


def _others(telling: Telling, answer: TreatmentAnswer) -> str:
    """One sentence for each other treatment of the protocol that the reader may be thinking of."""
    about = {answer.treatment}
    focus = telling.protocol.focus
    others = [other for other in telling.decision.recommendation.treatments if other.treatment not in about]
    wanted = {focus, *telling.decision.recommendation.ordered}
    return " ".join(
        telling.words.also.format(
            treatment=telling.treatment(other.treatment), standing=telling.words.standing[_key(other.standing)]
        )
        for other in others
        if other.treatment in wanted
    )


def _not_found(telling: Telling, answer: TreatmentAnswer) -> str:
    absent = [
        weighed.finding
        for weighed in answer.weighed
        if not _is_shown(weighed) and weighed.finding.verdict is Verdict.NOT_MET
    ]
    if not absent:
        return ""
    places = dict.fromkeys(place for finding in absent for place in finding.looked_in)
    words = telling.words
    said = words.not_found.format(criteria=", ".join(telling.title(finding.criterion) for finding in absent))
    return f"{said} {words.looked_in.format(places=', '.join(places))}" if places else said


def _asks(telling: Telling) -> str:
    asks = telling.decision.recommendation.asks
    return telling.words.asks.format(asks=" ".join(ask.words for ask in asks)) if asks else ""


def _conflicts(telling: Telling, criteria: set[str]) -> list[str]:
    """The matters beside these criteria on which the sources disagree, and what is done here."""
    words, sources = telling.words, telling.knowledge.sources
    return [
        words.conflict.format(
            topic=conflict.topic,
            positions="; ".join(
                words.position.format(source=sources[key].citation, position=said)
                for key, said in conflict.positions.items()
            ),
            resolution=conflict.resolution,
        )
        for conflict in telling.decision.recommendation.conflicts
        if not criteria.isdisjoint(conflict.criteria)
    ]


def _gaps(telling: Telling) -> str:
    """What could not be read, and what was left out because it is about somebody else."""
    words, record = telling.words, telling.decision.record
    gaps = record.gaps(tuple(telling.knowledge.inputs))
    said = [words.gaps.format(gaps="; ".join(gaps))] if gaps else []
    if record.dropped:
        said.append(words.dropped.format(count=record.dropped))
    if telling.foreign_drafts:
        said.append(words.foreign_drafts.format(count=telling.foreign_drafts))
    return " ".join(said)


def _overdue(telling: Telling) -> str:
    due = min(telling.protocol.review_due, *(criterion.review_due for criterion in telling.knowledge.criteria.values()))
    return telling.words.review_overdue.format(day=due) if due <= telling.as_of else ""


def _basis(telling: Telling) -> str:
    weakest = max(
        (clause.grade for clause in telling.protocol.clauses if clause.role is Role.REQUIRED),
        key=list(Grade).index,
    )
    return telling.words.basis.format(
        protocol=telling.protocol.title,
        grade=weakest.value,
        day=telling.as_of,
        digest=telling.knowledge.digest[:12],
    )


def _links(telling: Telling, sources: Iterable[str]) -> tuple[Link, ...]:
    """Where the rules that are shown can be read; only addresses from the bibliography."""
    links: dict[str, Link] = {}
    for key in dict.fromkeys(sources):
        source = telling.knowledge.sources[key]
        url = f"https://doi.org/{source.doi}" if source.doi else source.url
        if url:
            label = telling.words.link.format(citation=source.citation)
            links.setdefault(url, Link(label=plain(label), url=url, type="absolute"))
    return tuple(links.values())[:MOST_LINKS]


def _key(standing: Standing) -> StandingKey:
    return standing.value
