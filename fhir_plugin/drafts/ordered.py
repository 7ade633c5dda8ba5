"""What draft orders contain: covered treatments, another antidepressant, an unidentified drug. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import msgspec

from fhir_plugin.drafts.draft_orders import Draft, Drafts
from fhir_plugin.drafts.outside import is_inside, only_a_service, stated_use
from fhir_plugin.facts.medications.products import ANTIDEPRESSANT, identify
from mappings.schema.load import Knowledge


class RecognisedDraft(msgspec.Struct, frozen=True, kw_only=True):
    """One draft and what it orders."""

    draft: Draft
    treatments: tuple[str, ...] = ()
    other_form: str | None = None
    """The treatment whose drug is ordered in a form that the criteria do not cover."""
    antidepressant: bool = False
    ingredients: frozenset[str] = frozenset()
    """The antidepressants in it."""
    renews: str = ""
    """Why the antidepressant is not another one; empty if it is."""
    nameless: bool = False
    """Whether it names a drug only by a code that is not known."""
    outside: str = ""
    """Why nothing is said about it although its drug or treatment is covered; empty if something may be."""

    @property
    def names(self) -> tuple[str, ...]:
        """The treatments that it orders, in any form, and ``antidepressant``."""
        other = (self.other_form,) if self.other_form else ()
        return (*self.treatments, *other, *((ANTIDEPRESSANT,) if self.antidepressant else ()))


class OrderedTreatments(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What the drafts of one call order, and which drafts are not answered."""

    recognised: tuple[RecognisedDraft, ...] = ()
    foreign: tuple[str, ...] = ()
    """Drafts for another patient that order something covered, or a drug that could not be identified."""
    unrelated: int = 0
    """Number of other drafts for another patient."""
    withdrawn: tuple[str, ...] = ()
    unreadable: int = 0
    """Number of entries that hold no order that can be read."""
    unselected: tuple[RecognisedDraft, ...] = ()
    """Drafts of the same call that were not selected; they are considered but not answered."""

    @cached_property
    def answered(self) -> tuple[RecognisedDraft, ...]:
        """The drafts about which something may be said."""
        return tuple(recognised for recognised in self.recognised if not recognised.outside)

    @cached_property
    def considered(self) -> tuple[RecognisedDraft, ...]:
        """The drafts of the call that are for depression, selected or not."""
        return (*self.answered, *(recognised for recognised in self.unselected if not recognised.outside))

    @cached_property
    def treatments(self) -> tuple[str, ...]:
        """The distinct treatments that are ordered."""
        return tuple(dict.fromkeys(name for recognised in self.answered for name in recognised.treatments))

    @property
    def other_forms(self) -> tuple[RecognisedDraft, ...]:
        """Drafts of the drug of a covered treatment, in a form that the criteria do not cover."""
        return tuple(recognised for recognised in self.answered if recognised.other_form)

    @property
    def antidepressant(self) -> bool:
        """Whether an antidepressant is ordered."""
        return any(recognised.antidepressant for recognised in self.answered)

    @property
    def another_antidepressant(self) -> bool:
        """Whether an antidepressant is ordered that the record does not show as current."""
        return any(recognised.antidepressant and not recognised.renews for recognised in self.answered)

    @property
    def unnamed(self) -> tuple[Draft, ...]:
        """Drafts whose drug could not be identified."""
        return tuple(
            recognised.draft
            for recognised in self.recognised
            if recognised.draft.unresolved or recognised.draft.drug_unread or recognised.nameless
        )

    @property
    def needs_record(self) -> bool:
        """Whether anything is ordered for which the record has to be read."""
        return bool(self.treatments or self.other_forms) or self.antidepressant

    def silence(self, knowledge: Knowledge) -> tuple[str, ...]:
        """Why nothing is said about drafts of a covered drug or treatment; sentences without text of the record."""
        sentence = knowledge.order_checks.outside.says.foreign
        lines = [line for recognised in self.recognised for line in (recognised.outside, recognised.renews) if line]
        return (*lines, *((sentence.format(count=self.unrelated),) if self.unrelated else ()))


NOTHING_ORDERED = OrderedTreatments()


def order_of(drafts: Drafts, knowledge: Knowledge, every: Drafts | None = None) -> OrderedTreatments:
    """What the drafts order; ``every`` also holds the drafts that were not selected."""
    answered = {draft.reference for draft in drafts.drafts}
    others = [draft for draft in every.drafts if draft.reference not in answered] if every else []
    foreign = tuple(draft.reference for draft in drafts.foreign if _concerns_us(draft, knowledge))
    return OrderedTreatments(
        recognised=tuple(recognised_draft(draft, knowledge) for draft in drafts.drafts),
        foreign=foreign,
        unrelated=len(drafts.foreign) - len(foreign),
        withdrawn=drafts.withdrawn,
        unreadable=drafts.unreadable,
        unselected=tuple(recognised_draft(draft, knowledge) for draft in others),
    )


def _concerns_us(draft: Draft, knowledge: Knowledge) -> bool:
    """Whether a draft for another patient may be a mix-up that matters here: a covered treatment, or who knows what."""
    found = _identified(draft, knowledge)
    return bool(found.treatments or found.other_form or draft.unresolved)


def recognised_draft(draft: Draft, knowledge: Knowledge) -> RecognisedDraft:
    """What one draft orders, and whether it is outside the field by what it states itself."""
    found = _identified(draft, knowledge)
    says = knowledge.order_checks.outside.says
    if found.names and (use := stated_use(draft, found.names, knowledge)):
        return _outside(found, says.stated, use)
    if found.antidepressant and not found.treatments and (use := _product_use(draft, knowledge)):
        return _outside(found, says.product, use)
    kept = _without_services(found, knowledge)
    if kept != found.treatments or (not found.names and _only_mentions(draft, knowledge)):
        if kept:
            return msgspec.structs.replace(found, treatments=kept)
        return _outside(found, says.service, knowledge.order_checks.outside.services.title)
    return found


def _only_mentions(draft: Draft, knowledge: Knowledge) -> bool:
    """Whether it is a referral or the like that names a covered treatment."""
    named = any(knowledge.treatments.mentioned(words) for words in draft.words)
    return named and only_a_service(draft, knowledge)


def _identified(draft: Draft, knowledge: Knowledge) -> RecognisedDraft:
    other = _other_form(draft, knowledge)
    ingredients = frozenset(_antidepressants(draft, knowledge))
    return RecognisedDraft(
        draft=draft,
        treatments=() if other else _treatments(draft, knowledge),
        other_form=other,
        antidepressant=bool(ingredients),
        ingredients=ingredients,
        nameless=draft.resource_type in _DRUG_ORDERS
        and bool(draft.concepts)
        and not draft.words
        and all(identify(concept, knowledge.medications).unmapped for concept in draft.concepts),
    )


_DRUG_ORDERS = frozenset({"MedicationRequest", "MedicationOrder", "MedicationPrescription"})
"""Orders of a drug, in all versions of FHIR."""


def _outside(found: RecognisedDraft, sentence: str, title: str) -> RecognisedDraft:
    return msgspec.structs.replace(found, outside=sentence.format(draft=found.draft.reference, title=title))


def _antidepressants(draft: Draft, knowledge: Knowledge) -> Iterable[str]:
    medications = knowledge.medications
    for concept in draft.concepts:
        product = identify(concept, medications).product
        for part in product.parts if product else ():
            if ANTIDEPRESSANT in medications.ingredients[part.ingredient].groups:
                yield part.ingredient


def _product_use(draft: Draft, knowledge: Knowledge) -> str:
    """The use other than depression for which the product is made; empty if it may be for depression."""
    for concept in draft.concepts:
        product = identify(concept, knowledge.medications).product
        if product and product.use:
            use = knowledge.medications.uses[product.use]
            if use.counts == "never" or not is_inside(draft, knowledge):
                return use.says
    return ""


def _other_form(draft: Draft, knowledge: Knowledge) -> str | None:
    """The treatment whose drug is ordered in another form, by its route and instructions, its form or its name."""
    routes = knowledge.order_checks.reading.route_words(draft.coded_routes)
    manner = (*draft.routes, *routes, *draft.instructions)
    return knowledge.treatments.in_other_form(
        [(coding.system, coding.code) for coding in draft.codings],
        "\n".join(draft.words),
        ("\n".join(manner or draft.notes), draft.form, "\n".join(draft.words)),
    )


def _treatments(draft: Draft, knowledge: Knowledge) -> tuple[str, ...]:
    """The treatments by code, else by words, which may name two treatments at once."""
    if draft.resource_type == "ServiceRequest" and _goes_beside(draft, knowledge):
        return ()
    coded = knowledge.treatments.of_code((coding.system, coding.code) for coding in draft.codings)
    if coded:
        return (coded,)
    return next((named for words in draft.words if (named := knowledge.treatments.all_of_order(words))), ())


def _without_services(found: RecognisedDraft, knowledge: Knowledge) -> tuple[str, ...]:
    """The treatments, without a drug that a referral, a consultation or a test only names."""
    draft, treatments = found.draft, knowledge.treatments
    if treatments.of_code((coding.system, coding.code) for coding in draft.codings):
        return found.treatments
    if not only_a_service(draft, knowledge):
        return found.treatments
    return tuple(name for name in found.treatments if treatments[name].given_as != "medication")


def _goes_beside(draft: Draft, knowledge: Knowledge) -> bool:
    """Whether it is a companion order such as vital signs, which may name the drug that they accompany."""
    return knowledge.order_checks.is_companion(draft.words, (coding.code for coding in draft.codings))
