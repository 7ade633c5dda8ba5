"""The card with the criteria of a treatment, in the wording of ``mappings/cards.yaml``. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter

from msgspec.structs import replace

from cds_hooks.cards.brief import OrderText, brief_detail, with_room
from cds_hooks.cards.builder import CardBasis, CardContext, make_card
from cds_hooks.cards.full import full_detail
from cds_hooks.cards.offering import held_back, offers_of, with_orders
from cds_hooks.cards.pathways import brief_pathway, pathway_headline
from cds_hooks.cards.this_order import (
    critical_summary,
    open_order_lines,
    order_lines,
    order_phrases,
    order_reminders,
)
from cds_hooks.protocol.responses import Card
from fhir_plugin.deciding.against import Against, against_of
from fhir_plugin.deciding.finding import Doubt, Verdict
from fhir_plugin.deciding.headline import Headline, headline
from fhir_plugin.deciding.recommend import Recommendation, TreatmentAnswer
from fhir_plugin.deciding.standing import Standing, WeighedFinding, worst
from mappings.schema.rules.protocols import FORBIDDING, Protocol, Role


def criteria_card(context: CardContext) -> Card:
    """The card with the criteria of what is ordered, or of the protocol's focus."""
    answer = without_safety(context, _leading_answer(context.decision.recommendation, context.protocol))
    shown = [weighed for weighed in answer.weighed if weighed.finding.verdict not in _NOT_SHOWN[weighed.role]]
    shown.sort(key=attrgetter("urgency"))
    offers = offers_of(context)
    critical, phrases = critical_summary(context), order_phrases(context)
    alone = critical or pathway_headline(context)
    against = against_of(answer.weighed, context.knowledge)
    head = Headline(text=alone) if alone else _headline(context, answer, against, phrases)
    standing = worst((answer.standing, Standing.REVIEW)) if phrases else answer.standing
    indicators = context.words.indicators[context.hook]
    held = held_back(context, offers)
    card = make_card(
        context,
        CardBasis(
            rule=f"criteria:{answer.treatment}",
            findings=tuple(weighed.finding for weighed in shown),
            against=any(_may_forbid(weighed) for weighed in shown),
        ),
        summary=head.text,
        indicator="critical" if critical else indicators[standing.value],
        parts=full_detail(context, answer, shown, held)
        if context.detail == "full"
        else brief_detail(
            context,
            answer,
            against,
            head,
            OrderText(order_lines(context, phrases if not critical else ()), _others(context, answer)),
            _optional(context, answer, held),
        ),
        sources=chain.from_iterable([weighed.clause.sources + weighed.finding.sources for weighed in shown]),
    )
    return with_orders(context, card, offers)


def beside_safety(context: CardContext, before: Sequence[str]) -> list[str]:
    """What a safety card takes over from the card of the criteria, after the paragraphs ``before``.

    The other treatments that are ordered and remarks on the orders; the pathway that fits, where there is room.
    """
    answer = _leading_answer(context.decision.recommendation, context.protocol)
    taken = [*_others(context, answer), "\n".join(order_lines(context, ()))]
    paragraphs = [*before, *(text for text in taken if text)]
    optional = ("\n".join(open_order_lines(context)), brief_pathway(context))
    return with_room(context, paragraphs, [text for text in optional if text])


def without_safety(context: CardContext, answer: TreatmentAnswer) -> TreatmentAnswer:
    """The answer without what a safety card before it says, unless it forbids the treatment."""
    own = context.fixed.safety_criteria
    said = [
        weighed
        for weighed in answer.weighed
        if weighed.finding.criterion in own and weighed.role is Role.CAUTION and weighed.finding.verdict is Verdict.MET
    ]
    if not said:
        return answer
    return replace(answer, weighed=tuple(weighed for weighed in answer.weighed if weighed not in said))


def _leading_answer(recommendation: Recommendation, protocol: Protocol) -> TreatmentAnswer:
    """The treatment that the card is about: the ordered one with the worst standing."""
    candidates = recommendation.ordered or (protocol.focus,)
    answers = [answer for answer in recommendation.treatments if answer.treatment in candidates]
    return min(answers, key=lambda answer: _WORST_FIRST[answer.standing])


_WORST_FIRST = {standing: place for place, standing in enumerate(Standing)}


def _headline(
    context: CardContext, answer: TreatmentAnswer, against: Against, of_order: Sequence[str] = ()
) -> Headline:
    name, ordering = context.treatment(answer.treatment), bool(context.decision.recommendation.ordered)
    return headline(name, answer.standing, against, context.knowledge, ordering=ordering, of_order=of_order)


def _optional(context: CardContext, answer: TreatmentAnswer, held: str) -> list[str]:
    """Lines for which there may be no room: what the order leaves open, reminders, what fits, what is held back."""
    forbidden = answer.standing is Standing.CONTRAINDICATED
    reminders = [] if forbidden else order_reminders(context)
    unclear = "\n".join(open_order_lines(context))
    return [line for line in (unclear, *reminders, brief_pathway(context), held) if line]


def _others(context: CardContext, answer: TreatmentAnswer) -> list[str]:
    """The headlines of the other treatments that are ordered."""
    recommendation = context.decision.recommendation
    others = [
        without_safety(context, other)
        for other in recommendation.treatments
        if other.treatment in recommendation.ordered and other.treatment != answer.treatment
    ]
    lines = [_headline(context, other, against_of(other.weighed, context.knowledge)).text for other in others]
    return [context.words.brief.other.format(headline=line) for line in lines]


_NOT_SHOWN: dict[Role, tuple[Verdict, ...]] = {
    **dict.fromkeys(Role, (Verdict.NOT_MET,)),
    **dict.fromkeys((Role.REQUIRED, Role.EXPECTED), ()),
    Role.CONTEXT: (Verdict.NOT_MET, Verdict.UNKNOWN),
}
"""The verdicts with which a finding is no basis of the card: none if required or expected."""


def _may_forbid(weighed: WeighedFinding) -> bool:
    """Whether it is a contraindication or a hold that is present or possible; a question to the patient is neither."""
    forbids = weighed.role in FORBIDDING
    return forbids and weighed.finding.verdict is not Verdict.NOT_MET and weighed.finding.doubt is not Doubt.ASK
