"""A payer's checklist: every item is met, not met or unknown. Informs; decides nothing clinical. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import msgspec

from fhir_plugin.deciding.assess import assess_criterion
from fhir_plugin.deciding.finding import Finding, Verdict
from fhir_plugin.facts.coverage import ActiveCoverage
from fhir_plugin.facts.fact import Evidence
from fhir_plugin.facts.read import Facts
from fhir_plugin.facts.trials.payer_trials import failures
from mappings.schema.load import Knowledge
from mappings.schema.payers.model import CriterionItem, Item, PayerPolicy, PresenceItem, TrialsItem, UnanswerableItem
from mappings.schema.texts.dossier import DossierWords

FAILED = "trials.failed"
"""The fact that is replaced by the number of failures as the payer counts them."""


MAX_NAME_LENGTH, MAX_COVERAGES = 300, 20
"""Limits for untrusted input: characters of a payer's name, and Coverages, that are considered."""


class ItemAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a checklist."""

    id: str
    title: str
    verdict: Verdict
    because: str
    """One plain sentence; no text of the record."""
    settle: str
    """What would settle it; empty unless the verdict is unknown."""
    missing: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    looked_in: tuple[str, ...] = ()


class Checklist(msgspec.Struct, frozen=True, kw_only=True):
    """One policy that may apply, compared with the record."""

    policy: str
    title: str
    generic: bool
    """Whether it is the generic policy, not that of a particular payer."""
    dated: str
    """When the policy took effect, in words, if known."""
    reviewed: date
    review_due: date
    overdue: str
    """A sentence if the review is overdue; empty otherwise."""
    note: str
    verification: str
    items: tuple[ItemAnswer, ...]
    sources: tuple[str, ...]

    def of(self, verdict: Verdict) -> tuple[ItemAnswer, ...]:
        """The items with that verdict."""
        return tuple(item for item in self.items if item.verdict is verdict)


def policies_for(covers: Sequence[ActiveCoverage], treatment: str, knowledge: Knowledge) -> tuple[PayerPolicy, ...]:
    """The policies that may apply to these Coverages; if none is known, the generic one of the treatment."""
    policies: dict[str, PayerPolicy] = {}
    for payer, plan, identifiers in dict.fromkeys(
        (cover.payer, cover.plan, cover.identifiers) for cover in covers[:MAX_COVERAGES]
    ):
        matching = knowledge.payers.matching(_words(payer), _words(plan), identifiers, treatment)
        policies |= {policy.id: policy for policy in matching}
    generic = knowledge.payers.generic(treatment)
    return tuple(policies.values()) or ((generic,) if generic else ())


def _words(text: str) -> str:
    return " ".join(text[:MAX_NAME_LENGTH].lower().replace("-", " ").split())


def checklist(policy: PayerPolicy, facts: Facts, findings: Mapping[str, Finding], knowledge: Knowledge) -> Checklist:
    """The checklist of one policy for one patient; ``findings`` by criterion."""
    as_of, words = facts.as_of, knowledge.dossier
    items = tuple([_answer(item, policy, facts, findings, knowledge) for item in policy.items])
    return Checklist(
        policy=policy.id,
        title=policy.title,
        generic=policy.matching is None,
        dated=_dated(policy, words),
        reviewed=policy.reviewed,
        review_due=policy.review_due,
        overdue=words.expired.format(day=policy.review_due) if policy.review_due <= as_of else "",
        note=policy.note,
        verification=policy.verification.value,
        items=items,
        sources=tuple(dict.fromkeys([policy.source, *(number.source for number in policy.numbers.values())])),
    )


def _dated(policy: PayerPolicy, words: DossierWords) -> str:
    if policy.matching is None:
        return words.generic
    return words.effective.format(day=policy.effective) if policy.effective else words.undated


def _answer(
    item: Item, policy: PayerPolicy, facts: Facts, findings: Mapping[str, Finding], knowledge: Knowledge
) -> ItemAnswer:
    if isinstance(item, UnanswerableItem):
        return ItemAnswer(
            id=item.id, title=item.title, verdict=Verdict.UNKNOWN, because=knowledge.dossier.beyond, settle=item.settle
        )
    if isinstance(item, CriterionItem):
        return _criterion(item, findings[item.criterion], facts, knowledge)
    named, added = facts.named, ""
    if isinstance(item, TrialsItem):
        fact, added = failures(item, facts.trials, knowledge)
        named = {FAILED: fact}
    finding = assess_criterion(policy.comparisons[item.id], named, facts.as_of, knowledge)
    if isinstance(item, PresenceItem) and item.absence == "open" and finding.verdict is Verdict.NOT_MET:
        return _item_answer(item, finding, Verdict.UNKNOWN, knowledge.dossier.absence)
    because = f"{finding.because} {added}" if added and finding.verdict is not Verdict.MET else finding.because
    return _item_answer(item, finding, finding.verdict, because)


def _criterion(item: CriterionItem, finding: Finding, facts: Facts, knowledge: Knowledge) -> ItemAnswer:
    words = knowledge.dossier
    if finding.verdict is Verdict.UNKNOWN:
        answer, because = Verdict.UNKNOWN, finding.because
    elif finding.verdict.value != item.expect:
        answer, because = _CONTRARY[item.contrary], finding.because
        because = f"{because} {words.contrary}" if answer is Verdict.UNKNOWN else because
    elif item.agrees == "open":
        answer, because = Verdict.UNKNOWN, words.part
    elif item.past_is_open and _past(item, facts, knowledge):
        answer, because = Verdict.UNKNOWN, words.look_back
    else:
        answer, because = Verdict.MET, finding.because
    settle = item.settle or knowledge.criteria[item.criterion].ask.words
    return _item_answer(item, finding, answer, because, settle)


_CONTRARY = {"not_met": Verdict.NOT_MET, "open": Verdict.UNKNOWN}


def _past(item: CriterionItem, facts: Facts, knowledge: Knowledge) -> bool:
    facts_of_criterion = (facts.named[name] for name in knowledge.criteria[item.criterion].facts)
    return any(getattr(fact.value, "past", ()) for fact in facts_of_criterion)


def _item_answer(item: Item, finding: Finding, verdict: Verdict, because: str, settle: str = "") -> ItemAnswer:
    is_open = verdict is Verdict.UNKNOWN
    return ItemAnswer(
        id=item.id,
        title=item.title,
        verdict=verdict,
        because=because,
        settle=(settle or item.settle) if is_open else "",
        missing=finding.missing if is_open else (),
        evidence=finding.evidence,
        looked_in=finding.looked_in,
    )
