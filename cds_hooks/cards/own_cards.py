"""Cards about one thing: a safety signal, or yet another antidepressant. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from cds_hooks.cards.builder import CardBasis, CardContext, conflicts, make_card, pieces
from cds_hooks.protocol.responses import Card
from fhir_plugin.deciding.assess import Finding, Verdict
from fhir_plugin.facts.fact import Evidence, Presence
from mappings.schema.texts.cards import OwnCard, ReviewWords


def safety_cards(telling: CardContext) -> tuple[Card, ...]:
    """The cards that come before every other: one for each safety criterion that is met, or that has to be reviewed."""
    cards = (_safety_card(telling, own, telling.decision.finding(own.criterion)) for own in telling.words.safety)
    return tuple(card for card in cards if card)


def _safety_card(telling: CardContext, own: OwnCard, finding: Finding | None) -> Card | None:
    if finding is None:
        return None
    if finding.verdict is Verdict.MET:
        return _own_card(telling, own, CardBasis(f"safety:{own.criterion}", (finding,), against=True, once=True))
    if finding.verdict is Verdict.UNKNOWN and own.review and (entries := _to_review(telling, own.review)):
        seen = replace(finding, evidence=entries)
        return _own_card(telling, own.review, CardBasis(f"review:{own.criterion}", (seen,), against=True, once=True))
    return None


def _to_review(telling: CardContext, review: ReviewWords) -> tuple[Evidence, ...]:
    """The entries that may mean it; words never settle it, and a person has to look."""
    notes = telling.knowledge.wording.entries
    passed_over = {notes[key] for key in review.unless}
    facts = (telling.decision.facts.named[name].value for name in review.facts)
    possible = (entry for value in facts if isinstance(value, Presence) for entry in value.possible)
    return tuple(entry for entry in possible if entry.note not in passed_over)


def antidepressant_card(telling: CardContext) -> tuple[Card, ...]:
    """One card when another antidepressant is ordered although two adequate trials failed, else none."""
    own = telling.words.another_antidepressant
    finding = telling.decision.finding(own.criterion)
    if finding is None or finding.verdict is not Verdict.MET:
        return ()
    return (_own_card(telling, own, CardBasis("another_antidepressant", (finding,))),)


def _own_card(telling: CardContext, own: OwnCard | ReviewWords, basis: CardBasis) -> Card:
    (finding,) = basis.findings
    evidence = ", ".join(pieces(telling, finding.evidence))
    parts = [own.lead, f"{finding.because} {evidence}".strip(), *conflicts(telling, {finding.criterion})]
    return make_card(telling, basis, own.summary, own.indicator, [*parts, telling.words.disclaimer], finding.sources)
