"""The orders of one protocol, filled in as far as possible without a patient: built once, read by every call. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from fhir_plugin.orders.fhir import Resource, dosages, medication, notes, questionnaire, service
from fhir_plugin.orders.filling import order_fields
from fhir_plugin.scales.codes import panel_coding
from mappings.schema.base.entries import Source
from mappings.schema.load import Knowledge
from mappings.schema.orders.model import CALCULATED_FIELDS, Order, OrderSet, fields_of, parameters_of
from mappings.schema.rules.protocols import Protocol, ProtocolParameter


class OrderMarks(msgspec.Struct, frozen=True, kw_only=True):
    """By what a draft is recognised as such an order."""

    codes: frozenset[tuple[str, str]]
    """System and code."""
    titles: frozenset[str]
    companion: bool
    """Whether any companion order is one of its kind."""


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """One order without its patient. Its dictionaries are shared by all drafts and never changed."""

    order: Order
    marks: OrderMarks
    body: Mapping[str, Resource]
    """The resource by instrument; for anything but a questionnaire the only key is ``""``."""
    own: list[Resource]
    """The notes of the template."""
    basis: list[Resource]
    """The notes that name the knowledge and the sources that it is based on."""
    varies: bool
    """Whether the dosage has to be calculated for every patient, and is not in the body yet."""


class Templates:
    """Every order set for which a protocol has the numbers."""

    def __init__(self, knowledge: Knowledge, protocol: str) -> None:
        self._knowledge = knowledge
        self._protocol: Protocol = knowledge.protocols[protocol]
        self.fields = order_fields(self._protocol.parameters, knowledge.orders.words.numbers)
        orders = knowledge.orders
        data_orders = {datum_name(datum): order_set for datum, order_set in orders.data.items()}
        sets: dict[str, OrderSet] = {**orders.by_id, **data_orders}
        self._marks = {name: tuple(map(self._marks_of, order_set.orders)) for name, order_set in sets.items()}
        self._templates = {
            name: tuple(self._template(order, order_set) for order in order_set.orders)
            for name, order_set in sets.items()
            if order_set.parameters <= self._protocol.parameters.keys()
        }

    def of(self, name: str) -> tuple[Template, ...]:
        """The orders of a set; none where the protocol lacks a number that they need."""
        return self._templates.get(name, ())

    def marks(self, name: str) -> tuple[OrderMarks, ...]:
        """By what the orders of a set are recognised, whatever numbers the protocol has."""
        return self._marks[name]

    def basis(self, sources: Iterable[str]) -> list[Resource]:
        """Notes: that it is a draft, the protocol and knowledge behind it, and the sources of its numbers."""
        words = self._knowledge.orders.words
        named = "; ".join(dict.fromkeys(_short(self._knowledge.sources[key]) for key in sources))
        digest = self._knowledge.short_digest
        return notes(
            (words.basis.format(protocol=self._protocol.title, digest=digest), words.sources.format(sources=named))
        )

    def _template(self, order: Order, order_set: OrderSet) -> Template:
        varies = any(
            CALCULATED_FIELDS & fields_of(line.says) or (line.dose and line.dose.per_kg) for line in order.lines
        )
        fields = self.fields
        says = [fields.sentence(line.says) for line in order.lines if order.kind == "service"]
        own = [fields.sentence(note) for note in order.notes if fields.fits(note)]
        return Template(
            order=order,
            marks=self._marks_of(order),
            body=self._bodies(order, varies=varies),
            own=notes((*says, *own)),
            basis=self.basis(_cited(order, order_set, self._protocol.parameters)),
            varies=varies,
        )

    def _marks_of(self, order: Order) -> OrderMarks:
        codes, titles = frozenset((code.system, code.code) for code in order.codes), frozenset((order.title,))
        if order.kind == "questionnaire":
            instruments = [self._knowledge.instruments[name] for name in order.instruments]
            codings = [panel_coding(instrument) for instrument in instruments]
            codes = frozenset((coding["system"], coding["code"]) for coding in codings)
            titles = frozenset(instrument.title for instrument in instruments)
        companion = self._knowledge.order_checks.is_companion((order.title,), (code for _, code in codes))
        return OrderMarks(codes=codes, titles=titles, companion=companion)

    def _bodies(self, order: Order, *, varies: bool) -> dict[str, Resource]:
        if order.kind == "questionnaire":
            return {name: questionnaire(self._knowledge.instruments[name]) for name in order.instruments}
        if order.kind == "service":
            return {"": service(order, self.fields)}
        return {"": medication(order) | ({} if varies else {"dosageInstruction": dosages(order, self.fields)})}


def datum_name(datum: str) -> str:
    """The name of the order set for a missing datum."""
    return f"data.{datum}"


def _short(source: Source) -> str:
    return source.short or source.citation.rstrip(".")


def _cited(order: Order, order_set: OrderSet, parameters: Mapping[str, ProtocolParameter]) -> Iterator[str]:
    """The sources of the set, and of every number that the order states."""
    yield from order_set.sources
    named = order.parameters.union(*(parameters_of(note) for note in order.notes))
    yield from (parameters[name].source for name in sorted(named) if name in parameters)
    yield from (number.source for _, number in order.numbers)
    if order.weeks:
        yield order.weeks.source
