"""Cards about one thing: a safety signal, or yet another antidepressant. Pure."""

from __future__ import annotations

from cds_hooks.protocol import Card
from cds_hooks.telling import Basis, Telling, conflicts, make_card, pieces
from fhir_plugin.assess import Verdict
from mappings.cards import OwnCard


def safety_cards(telling: Telling) -> tuple[Card, ...]:
    """The cards that come before every other: one for each safety criterion that is met."""
    return tuple(
        _own_card(telling, own, Basis(f"safety:{own.criterion}", (finding,), against=True, once=True))
        for own in telling.words.safety
        if (finding := telling.decision.finding(own.criterion)) and finding.verdict is Verdict.MET
    )


def antidepressant_card(telling: Telling) -> tuple[Card, ...]:
    """One card when another antidepressant is ordered although two adequate trials failed, else none."""
    own = telling.words.another_antidepressant
    finding = telling.decision.finding(own.criterion)
    if finding is None or finding.verdict is not Verdict.MET:
        return ()
    return (_own_card(telling, own, Basis("another_antidepressant", (finding,))),)


def _own_card(telling: Telling, own: OwnCard, basis: Basis) -> Card:
    (finding,) = basis.findings
    evidence = ", ".join(pieces(telling, finding.evidence))
    parts = [own.lead, f"{finding.because} {evidence}".strip(), *conflicts(telling, {finding.criterion})]
    return make_card(telling, basis, own.summary, own.indicator, [*parts, telling.words.disclaimer], finding.sources)
