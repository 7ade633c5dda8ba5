"""What draft orders contain: covered treatments, another antidepressant, an unidentified drug. Pure."""

from __future__ import annotations

import msgspec

from fhir_plugin.drafts.draft_orders import Draft, Drafts
from fhir_plugin.facts.medications.products import identify
from mappings.schema.load import Knowledge

ANTIDEPRESSANT = "antidepressant"
"""The group of the medication tables by which an order is recognised."""


class RecognisedDraft(msgspec.Struct, frozen=True, kw_only=True):
    """One draft and what it orders."""

    draft: Draft
    treatments: tuple[str, ...] = ()
    other_form: str | None = None
    """The treatment whose drug is ordered in a form that the criteria do not cover."""
    antidepressant: bool = False


class OrderedTreatments(msgspec.Struct, frozen=True, kw_only=True):
    """What the drafts of one call order, and which drafts are not answered."""

    recognised: tuple[RecognisedDraft, ...] = ()
    foreign: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    unselected: tuple[RecognisedDraft, ...] = ()
    """Drafts of the same call that were not selected; they are considered but not answered."""

    @property
    def treatments(self) -> tuple[str, ...]:
        """The distinct treatments that are ordered."""
        return tuple(dict.fromkeys(name for recognised in self.recognised for name in recognised.treatments))

    @property
    def other_forms(self) -> tuple[RecognisedDraft, ...]:
        """Drafts of the drug of a covered treatment, in a form that the criteria do not cover."""
        return tuple(recognised for recognised in self.recognised if recognised.other_form)

    @property
    def antidepressant(self) -> bool:
        """Whether an antidepressant is ordered."""
        return any(recognised.antidepressant for recognised in self.recognised)

    @property
    def unnamed(self) -> tuple[Draft, ...]:
        """Drafts whose drug could not be identified."""
        return tuple(recognised.draft for recognised in self.recognised if recognised.draft.unresolved)

    @property
    def all_foreign(self) -> bool:
        """Whether every draft is for another patient."""
        return bool(self.foreign) and not self.recognised and not self.withdrawn

    @property
    def needs_record(self) -> bool:
        """Whether anything is ordered for which the record has to be read."""
        return bool(self.treatments or self.other_forms) or self.antidepressant


NOTHING_ORDERED = OrderedTreatments()


def order_of(drafts: Drafts, knowledge: Knowledge, every: Drafts | None = None) -> OrderedTreatments:
    """What the drafts order; ``every`` also holds the drafts that were not selected."""
    answered = {draft.reference for draft in drafts.drafts}
    others = [draft for draft in every.drafts if draft.reference not in answered] if every else []
    return OrderedTreatments(
        recognised=tuple(_recognised(draft, knowledge) for draft in drafts.drafts),
        foreign=drafts.foreign,
        withdrawn=drafts.withdrawn,
        unselected=tuple(_recognised(draft, knowledge) for draft in others),
    )


def _recognised(draft: Draft, knowledge: Knowledge) -> RecognisedDraft:
    other = knowledge.treatments.in_other_form(
        [(coding.system, coding.code) for coding in draft.codings],
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
    """The treatments by code, else by words, which may name two treatments at once."""
    if draft.resource_type == "ServiceRequest" and _goes_beside(draft, knowledge):
        return ()
    coded = knowledge.treatments.of_code((coding.system, coding.code) for coding in draft.codings)
    if coded:
        return (coded,)
    return next((named for words in draft.words if (named := knowledge.treatments.all_of_order(words))), ())


def _goes_beside(draft: Draft, knowledge: Knowledge) -> bool:
    """Whether it is a companion order such as vital signs, which may name the drug that they accompany."""
    return knowledge.order_checks.is_companion(draft.words, (coding.code for coding in draft.codings))
