"""The orders of one protocol, filled in as far as they go without a patient: made once, read by every call. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from fhir_plugin.orders.fhir import Resource, dosages, medication, notes, questionnaire, service
from fhir_plugin.orders.filling import order_fields
from mappings.schema.base.entries import Source
from mappings.schema.load import Knowledge
from mappings.schema.orders.model import GIVEN, Order, OrderSet, fields_of, parameters_of
from mappings.schema.rules.protocols import Protocol, ProtocolParameter


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """One order without its patient. Its dictionaries are shared by all drafts and never changed."""

    order: Order
    body: Mapping[str, Resource]
    """The resource by the instrument that is asked for; of what is no questionnaire the only one, by ``""``."""
    own: list[Resource]
    """The notes of the template."""
    basis: list[Resource]
    """The notes that say which knowledge and which sources it rests on."""
    varies: bool
    """Whether the dosage has to be worked out for each patient, and is not in the body yet."""


class Templates:
    """Every order set that a protocol has the numbers for."""

    def __init__(self, knowledge: Knowledge, protocol: str) -> None:
        self._knowledge = knowledge
        self._protocol: Protocol = knowledge.protocols[protocol]
        self.filling = order_fields(self._protocol.parameters, knowledge.orders.words.numbers)
        orders = knowledge.orders
        sets: dict[str, OrderSet] = {**orders.by_id, **{datum_name(datum): each for datum, each in orders.data.items()}}
        self._made = {
            name: tuple(self._template(order, each) for order in each.orders)
            for name, each in sets.items()
            if each.parameters <= self._protocol.parameters.keys()
        }

    def of(self, name: str) -> tuple[Template, ...]:
        """The orders of a set; none where the protocol lacks a number that they need."""
        return self._made.get(name, ())

    def basis(self, sources: Iterable[str]) -> list[Resource]:
        """That it is a draft, by which protocol and knowledge, and where its numbers come from."""
        words = self._knowledge.orders.words
        named = "; ".join(dict.fromkeys(_short(self._knowledge.sources[key]) for key in sources))
        digest = self._knowledge.digest[:12]
        return notes(
            (words.basis.format(protocol=self._protocol.title, digest=digest), words.sources.format(sources=named))
        )

    def _template(self, order: Order, among: OrderSet) -> Template:
        varies = any(GIVEN & fields_of(line.says) or (line.dose and line.dose.per_kg) for line in order.lines)
        filling = self.filling
        says = [filling.sentence(line.says) for line in order.lines if order.kind == "service"]
        own = [filling.sentence(note) for note in order.notes if filling.fits(note)]
        return Template(
            order=order,
            body=self._bodies(order, varies=varies),
            own=notes((*says, *own)),
            basis=self.basis(_cited(order, among, self._protocol.parameters)),
            varies=varies,
        )

    def _bodies(self, order: Order, *, varies: bool) -> dict[str, Resource]:
        if order.kind == "questionnaire":
            return {name: questionnaire(self._knowledge.instruments[name]) for name in order.instruments}
        if order.kind == "service":
            return {"": service(order, self.filling)}
        return {"": medication(order) | ({} if varies else {"dosageInstruction": dosages(order, self.filling)})}


def datum_name(datum: str) -> str:
    """Under which name the orders for a missing datum stand."""
    return f"data.{datum}"


def _short(source: Source) -> str:
    return source.short or source.citation.rstrip(".")


def _cited(order: Order, among: OrderSet, parameters: Mapping[str, ProtocolParameter]) -> Iterator[str]:
    """The sources of the set, and of every number that the order says."""
    yield from among.sources
    said = order.parameters.union(*(parameters_of(note) for note in order.notes))
    yield from (parameters[name].source for name in sorted(said) if name in parameters)
    yield from (number.source for _, number in order.numbers)
    if order.weeks:
        yield order.weeks.source
