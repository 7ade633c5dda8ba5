"""Orders on which nothing is said: for another use than depression, a referral, a renewal. Pure.

1. An order that states anything of the field (depression, another mental disorder) is inside, whatever else it states.
2. Else one that states a use of ``_outside.yaml`` is outside: in a reason, or in its instructions behind a lead.
3. Else, if it states no use at all, and the record was read whole and shows nothing of the field, an emergency or
   operating-room encounter makes it outside.
4. Everything else keeps its card: no stated use, a use on no list, a reason that cannot be read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from fhir_plugin.drafts.draft_orders import Draft
from fhir_plugin.record.datatypes import CodeableConcept
from mappings.schema.base.words import any_found
from mappings.schema.load import Knowledge
from mappings.schema.order_checks.outside import OutsideOrders, StatedUse


def stated_use(draft: Draft, of: Collection[str], knowledge: Knowledge, found: Sequence[CodeableConcept] = ()) -> str:
    """The title of the use that makes the order an outside one; empty if it is, or may be, inside.

    ``of`` names what is ordered; ``found`` are the reasons that the order refers to and that were found.
    """
    rules = knowledge.order_checks.outside
    if len(found) < len(draft.reasons.references):
        return ""
    reasons = (*draft.reasons.stated, *found)
    texts = _instructions(draft)
    if _any_inside(texts, reasons, rules):
        return ""
    uses = [use for use in rules.uses.values() if not set(of).isdisjoint(use.of)]
    matched = [_use_of(reason, uses, knowledge) for reason in reasons]
    if any(use is None and _may_be_inside(reason, knowledge) for use, reason in zip(matched, reasons, strict=True)):
        return ""
    stated = next((use for use in matched if use), None) or rules.use_in(texts, uses)
    return stated.title if stated else ""


def states_nothing(draft: Draft) -> bool:
    """Whether the order gives no reason."""
    return not draft.reasons.stated and not draft.reasons.references


def is_inside(draft: Draft, knowledge: Knowledge) -> bool:
    """Whether the order states something of the field."""
    reasons = draft.reasons.stated
    return _any_inside(_instructions(draft), reasons, knowledge.order_checks.outside) or any(
        _has_inside_code(reason, knowledge) for reason in reasons
    )


def only_a_service(draft: Draft, knowledge: Knowledge) -> bool:
    """Whether an order that is not for a drug is a referral, a consultation or a test, by its words."""
    rules = knowledge.order_checks.outside.services
    if draft.resource_type in rules.drug_orders:
        return False
    return rules.is_said(draft.words, draft.category)


def _instructions(draft: Draft) -> tuple[str, ...]:
    """The texts of an order that may state a use: instructions, notes, its names."""
    return tuple(text.lower() for text in (*draft.instructions, *draft.notes, *draft.words))


def _any_inside(texts: Iterable[str], reasons: Iterable[CodeableConcept], rules: OutsideOrders) -> bool:
    """Whether a text or the words of a reason are of the field."""
    said = (*texts, *(name.lower() for reason in reasons for name in _names(reason)))
    return any(map(rules.inside.named_in, said))


def _may_be_inside(reason: CodeableConcept, knowledge: Knowledge) -> bool:
    """Whether a reason that is no listed use is of the field, or cannot be read."""
    return _has_inside_code(reason, knowledge) or not _names(reason)


def _has_inside_code(reason: CodeableConcept, knowledge: Knowledge) -> bool:
    inside, codes = knowledge.order_checks.outside.inside, knowledge.value_sets.index
    for coding in reason.coding:
        senses = codes.senses(coding.system, coding.code) or ()
        if any(sense.topic in inside.topics for sense in senses):
            return True
        if coding.system in codes.tree_systems and _begins(coding.code, inside.codes):
            return True
    return False


def _use_of(reason: CodeableConcept, uses: Iterable[StatedUse], knowledge: Knowledge) -> StatedUse | None:
    systems = knowledge.value_sets.index.tree_systems
    codes = [coding.code for coding in reason.coding if coding.system in systems]
    names = [name.lower() for name in _names(reason)]
    for use in uses:
        if any(_begins(code, use.codes) for code in codes):
            return use
        if any(any_found(use.in_reasons, name) for name in names):
            return use
    return None


def _begins(code: str | None, beginnings: Iterable[str]) -> bool:
    """Whether an ICD-10-CM code, with or without its dot, is one of the codes or below one."""
    plain = (code or "").replace(".", "").upper()
    return any(plain.startswith(beginning.replace(".", "")) for beginning in beginnings)


def _names(reason: CodeableConcept) -> tuple[str, ...]:
    names = (reason.text, *(coding.display for coding in reason.coding))
    return tuple(dict.fromkeys(name for name in names if name))
