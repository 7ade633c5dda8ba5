"""What draft orders are about: treatments of ours, one more antidepressant, a drug that nobody can name. Pure."""

from __future__ import annotations

import msgspec

from fhir_plugin.drafts.draft_orders import Draft, Drafts
from fhir_plugin.facts.medications.products import identify
from mappings.schema.load import Knowledge

ANTIDEPRESSANT = "antidepressant"
"""The group of the medication tables that an order is looked up in."""


class RecognisedDraft(msgspec.Struct, frozen=True, kw_only=True):
    """One draft and what it orders."""

    draft: Draft
    treatments: tuple[str, ...] = ()
    other_form: str | None = None
    """The treatment whose drug is ordered in a form that the criteria are not made for."""
    antidepressant: bool = False


class OrderedTreatments(msgspec.Struct, frozen=True, kw_only=True):
    """What the drafts of one call are about, and those that are not answered."""

    recognised: tuple[RecognisedDraft, ...] = ()
    foreign: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    beside: tuple[RecognisedDraft, ...] = ()
    """Drafts of the same call that were not selected; they are known, and not answered."""

    @property
    def treatments(self) -> tuple[str, ...]:
        """The treatments that are ordered, each once."""
        return tuple(dict.fromkeys(name for each in self.recognised for name in each.treatments))

    @property
    def other_forms(self) -> tuple[RecognisedDraft, ...]:
        """Drafts of a drug of ours in a form that the criteria are not made for."""
        return tuple(each for each in self.recognised if each.other_form)

    @property
    def antidepressant(self) -> bool:
        """Whether an antidepressant is ordered."""
        return any(each.antidepressant for each in self.recognised)

    @property
    def unnamed(self) -> tuple[Draft, ...]:
        """Drafts whose drug nobody could name."""
        return tuple(each.draft for each in self.recognised if each.draft.unresolved)

    @property
    def of_nobody(self) -> bool:
        """Whether every draft is for somebody else."""
        return bool(self.foreign) and not self.recognised and not self.withdrawn

    @property
    def concerns_us(self) -> bool:
        """Whether the record is to be read."""
        return bool(self.treatments or self.other_forms) or self.antidepressant


NOTHING_ORDERED = OrderedTreatments()


def order_of(drafts: Drafts, knowledge: Knowledge, every: Drafts | None = None) -> OrderedTreatments:
    """What the drafts order; ``every`` holds also those that were not selected."""
    answered = {draft.reference for draft in drafts.drafts}
    others = [draft for draft in every.drafts if draft.reference not in answered] if every else []
    return OrderedTreatments(
        recognised=tuple(_recognised(draft, knowledge) for draft in drafts.drafts),
        foreign=drafts.foreign,
        withdrawn=drafts.withdrawn,
        beside=tuple(_recognised(draft, knowledge) for draft in others),
    )


def _recognised(draft: Draft, knowledge: Knowledge) -> RecognisedDraft:
    other = knowledge.treatments.in_other_form(
        [(each.system, each.code) for each in draft.codings],
        "\n".join(draft.words),
        "\n".join((*draft.routes, draft.form)),
    )
    return RecognisedDraft(
        draft=draft,
        treatments=() if other else _treatments(draft, knowledge),
        other_form=other,
        antidepressant=any(
            identify(concept, knowledge.medications).contains(ANTIDEPRESSANT, knowledge.medications)
            for concept in draft.concepts
        ),
    )


def _treatments(draft: Draft, knowledge: Knowledge) -> tuple[str, ...]:
    """By codes, else by words, which may name two treatments at once."""
    if draft.resource_type == "ServiceRequest" and _goes_beside(draft, knowledge):
        return ()
    coded = knowledge.treatments.of_code((each.system, each.code) for each in draft.codings)
    if coded:
        return (coded,)
    return next((found for words in draft.words if (found := knowledge.treatments.all_of_order(words))), ())


def _goes_beside(draft: Draft, knowledge: Knowledge) -> bool:
    """Whether it is an order such as vital signs, which may name the drug around which they are taken."""
    return knowledge.order_checks.is_companion(draft.words, (coding.code for coding in draft.codings))
