"""Cards about a single finding: a safety signal, or another antidepressant. Pure."""

from __future__ import annotations

from datetime import date

from msgspec.structs import replace

from cds_hooks.cards.builder import CardBasis, CardContext, conflicts, make_card, pieces
from cds_hooks.protocol.responses import Card
from fhir_plugin.deciding.finding import Finding, Verdict
from fhir_plugin.deciding.phrases import date_words
from fhir_plugin.facts.fact import Evidence, Presence
from mappings.schema.load import Knowledge
from mappings.schema.texts.cards import CriterionCard, ReviewWords


def safety_cards(context: CardContext) -> tuple[Card, ...]:
    """The cards that precede all others: one for every safety criterion that is met or has to be reviewed."""
    cards = (_safety_card(context, own, context.decision.finding(own.criterion)) for own in context.words.safety)
    return tuple(card for card in cards if card)


def _safety_card(context: CardContext, own: CriterionCard, finding: Finding | None) -> Card | None:
    if finding is None:
        return None
    if finding.verdict is Verdict.MET:
        return _own_card(context, own, CardBasis(f"safety:{own.criterion}", (finding,), against=True, once=True))
    for review in own.reviews if finding.verdict is Verdict.UNKNOWN else ():
        if entries := _to_review(context, review):
            reviewed = replace(finding, evidence=entries)
            basis = CardBasis(f"review:{own.criterion}", (reviewed,), against=True, once=True)
            return _own_card(context, review, basis)
    return None


def _to_review(context: CardContext, review: ReviewWords) -> tuple[Evidence, ...]:
    """The entries that may indicate it; free text never settles it, so a person has to review them."""
    notes = context.knowledge.wording.entries
    ignored = {notes[key] for key in review.unless}
    facts = (context.decision.facts.named[name].value for name in review.facts)
    possible = (entry for value in facts if isinstance(value, Presence) for entry in value.possible)
    return tuple(entry for entry in possible if entry.note not in ignored)


def antidepressant_card(context: CardContext) -> tuple[Card, ...]:
    """One card if another antidepressant is ordered although two adequate trials failed, else none."""
    own = context.words.another_antidepressant
    finding = context.decision.finding(own.criterion)
    if finding is None or finding.verdict is not Verdict.MET:
        return ()
    return (_own_card(context, own, CardBasis("another_antidepressant", (finding,))),)


def _own_card(context: CardContext, own: CriterionCard | ReviewWords, basis: CardBasis) -> Card:
    (finding,) = basis.findings
    summary = own_summary(own, finding, context.knowledge, context.as_of)
    if context.detail == "full":
        evidence = ", ".join(pieces(context, finding.evidence))
        parts = [own.lead, f"{finding.because} {evidence}".strip(), *conflicts(context, {finding.criterion})]
    else:
        parts = [own.lead]
    return make_card(context, basis, summary, own.indicator, [*parts, context.words.disclaimer], finding.sources)


def own_summary(own: CriterionCard | ReviewWords, finding: Finding, knowledge: Knowledge, as_of: date) -> str:
    """The line of a card about one finding, with its newest signals or its phrase."""
    return own.summary.format(signals=_signals(finding, knowledge, as_of), phrase=finding.phrase)


_MOST_SIGNALS = 2


def _signals(finding: Finding, knowledge: Knowledge, as_of: date) -> str:
    """The newest entries by the knowledge's names, with their days: ``C-SSRS 26 Nov, PHQ-9 today``."""
    words, short = knowledge.wording, knowledge.criteria[finding.criterion].short
    dated = sorted(finding.evidence, key=lambda entry: entry.day.last if entry.day else date.min, reverse=True)
    signals = dict.fromkeys(
        " ".join((entry.name or short, *([date_words(entry.day, as_of, words.days)] if entry.day else [])))
        for entry in dated
    )
    return f"{words.names.both} ".join(list(signals)[:_MOST_SIGNALS]) or short
