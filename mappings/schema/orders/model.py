"""Schema of an order template: what a clinician can accept as a draft, in sentences and parameter names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from mappings.schema.base.entries import Entry, Number, Reviewed, Verification

FIELD = re.compile(r"\{([\w.]+)(\|or)?\}")
"""A field of a sentence: the name of a parameter; ``|or`` writes both ends of a range as alternatives."""

CALCULATED_FIELDS = frozenset({"dose", "calculation", "rate", "week", "since"})
"""Fields that are calculated for the patient; every other field is a parameter of the protocol."""

OfferHook = Literal["patient-view", "order-select", "order-sign"]
OfferPart = Literal["plan", "steps", "ordered", "along", "data"]


def fields_of(text: str) -> frozenset[str]:
    """Every field of a sentence."""
    return frozenset(match[1] for match in FIELD.finditer(text))


def parameters_of(text: str) -> frozenset[str]:
    """The parameters that a sentence names."""
    return fields_of(text) - CALCULATED_FIELDS


def _fields(text: str) -> str:
    if re.search(r"[{}]", FIELD.sub("", text)):
        raise ValueError(
            "a field is the name of a parameter in braces, or one of " + ", ".join(sorted(CALCULATED_FIELDS))
        )
    return text


Sentence = Annotated[str, AfterValidator(_fields)]


class OrderCode(Entry):
    """A code that was seen in its source."""

    system: str
    code: str
    source: str
    """Key in ``sources.yaml``."""


class OrderDose(Entry):
    """One dose: a parameter in mg, or a parameter in mg/kg with the rounding of the product."""

    amount: str = ""
    per_kg: str = ""
    weight_to: Number | None = None
    """Step in kg to which the weight is rounded before it is multiplied."""
    round_to: Number | None = None
    """Step in mg to which the product is rounded down."""
    rate_to: Number | None = None
    """Step in mg/min to which the rate is rounded in text; the coded rate is dose over time."""
    highest: Number | None = None
    """In mg; if the product exceeds it, no dose is offered."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.amount) == bool(self.per_kg):
            raise ValueError("either amount or per_kg")
        if self.per_kg and not (self.weight_to and self.round_to and self.rate_to and self.highest):
            raise ValueError("per_kg needs weight_to, round_to, rate_to and highest")
        return self


class OrderSchedule(Entry):
    """When and how often, as names of parameters."""

    count: str = ""
    """How many in total."""
    times: str = ""
    """How many per week."""
    interval: str = ""
    """Time from one to the next."""
    length: str = ""
    """Total duration."""
    duration: str = ""
    """Duration of one session or dose."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Every parameter that is named."""
        return tuple(name for _, name in self if name)


class OrderLine(Entry):
    """One dosage instruction of a drug, or the occurrence of a service."""

    says: Sentence
    dose: OrderDose | None = None
    schedule: OrderSchedule = OrderSchedule()

    @property
    def parameters(self) -> frozenset[str]:
        """Every parameter that is named."""
        dose = {self.dose.amount, self.dose.per_kg} - {""} if self.dose else set()
        return parameters_of(self.says) | dose | set(self.schedule.parameters)


class WeekRange(Entry):
    """The weeks of a course to which an order applies; week 0 is before the first session."""

    first: int
    last: int | None = None
    source: str
    verification: Verification

    def __contains__(self, week: int | None) -> bool:
        """Whether a week is in the range; an unknown week is not."""
        return week is not None and self.first <= week and (self.last is None or week <= self.last)


class Detail(Entry):
    """One ``orderDetail`` of a service."""

    title: str
    codes: tuple[OrderCode, ...] = ()


class Order(Entry):
    """One draft order."""

    id: str
    kind: Literal["medication", "service", "questionnaire"]
    title: str = ""
    """What is ordered, in our words; a questionnaire uses its own title."""
    codes: tuple[OrderCode, ...] = ()
    details: tuple[Detail, ...] = ()
    instruments: tuple[str, ...] = ()
    """For a questionnaire: the first with a score on the record is ordered, else the first."""
    route: str = ""
    body_site: str = ""
    weeks: WeekRange | None = None
    lines: tuple[OrderLine, ...] = ()
    notes: tuple[Sentence, ...] = ()
    """A note with a parameter that the protocol does not have is omitted."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.kind == "questionnaire") != bool(self.instruments):
            raise ValueError("instruments: a questionnaire has them, and nothing else")
        if self.kind != "questionnaire" and not self.title:
            raise ValueError("title: needed")
        if self.kind == "medication" and not self.lines:
            raise ValueError("lines: a drug without a dose is no order")
        if self.kind != "medication" and len(self.lines) > 1:
            raise ValueError("lines: a service has one occurrence")
        if self.details and not self.codes:
            raise ValueError("details: FHIR allows them only beside a code")
        return self

    @property
    def parameters(self) -> frozenset[str]:
        """The parameters that the order requires."""
        return frozenset(name for line in self.lines for name in line.parameters)

    @property
    def numbers(self) -> Iterator[tuple[str, Number]]:
        """Every number of the order itself, by key."""
        for line in self.lines:
            for key in ("weight_to", "round_to", "rate_to", "highest") if line.dose else ():
                number = getattr(line.dose, key)
                if number is not None:
                    yield f"{self.id}.{key}", number


class OrderSet(Entry):
    """Orders that are accepted together."""

    title: str
    label: Sentence
    """What the clinician accepts, in one line."""
    orders: tuple[Order, ...]
    sources: tuple[str, ...]

    @property
    def parameters(self) -> frozenset[str]:
        """The parameters required to offer it; for orders by week those of every week."""
        return parameters_of(self.label).union(*(order.parameters for order in self.orders))

    @property
    def named_parameters(self) -> frozenset[str]:
        """Every parameter that is named, including notes that may be omitted."""
        return self.parameters.union(*(parameters_of(note) for order in self.orders for note in order.notes))


class TreatmentOrders(OrderSet, Reviewed):
    """The orders of one treatment, or of what accompanies treatments."""

    id: str
    treatment: str = ""
    """The treatment of a protocol that is ordered; empty for orders that accompany others."""
    instead_of: str = ""
    """A treatment of a pathway step for which it may be substituted."""
    unless: tuple[str, ...] = ()
    """Criteria that must be known not to be met."""
    along: tuple[str, ...] = ()
    """Ids of the orders that accompany it in a plan and next to a signed order."""
    monitored_by: str = ""
    """The id of the monitoring that is always included."""

    @property
    def company(self) -> tuple[str, ...]:
        """Ids of all accompanying orders, the monitoring first."""
        return (self.monitored_by, *self.along) if self.monitored_by else self.along


class DataOrders(OrderSet):
    """The orders that obtain a missing datum."""

    not_for: tuple[str, ...] = ()
    """Values of ``Patient.gender`` to which it does not apply."""


class HeldWords(Entry):
    """Why an otherwise suitable order is not offered."""

    lead: str
    weight: str
    highest: str
    under_way: str
    perhaps_under_way: str
    week: str
    earlier_course: str
    other_drug: str
    no_age: str


class NumberWords(Entry):
    """How the numbers of an order are worded."""

    recalled: str
    design: str
    local: str
    calculation: str
    converted: str


class PlanWords(Entry):
    """The plan as a whole."""

    title: str
    label: str
    step: str
    later: str


class OfferWords(Reviewed):
    """``_words.yaml``: what is offered at which hook, and the sentences that all orders share."""

    hooks: dict[OfferHook, tuple[OfferPart, ...]]
    weight_max_age: str
    """The parameter for the maximum age of a weight."""
    weight_datum: str
    reason: str
    """The criterion whose entries are the reason of every order."""
    create: str
    replace: str
    choice: str
    plan: PlanWords
    held: HeldWords
    numbers: NumberWords
    safety: dict[Literal["met", "unknown"], str]
    """The note on every treatment, by the verdict of a criterion that has a safety card."""
    basis: str
    sources: str

    def parts(self, hook: str) -> tuple[OfferPart, ...]:
        """What is offered at a hook; nothing at an unlisted one."""
        return next((parts for name, parts in self.hooks.items() if name == hook), ())

    def safety_note(self, verdict: str) -> str:
        """The note for a verdict; empty for an unlisted one."""
        return next((note for name, note in self.safety.items() if name == verdict), "")


class DataFile(Reviewed):
    data: dict[str, DataOrders] = Field(default_factory=dict)
    """By datum, as criteria ask for it."""
