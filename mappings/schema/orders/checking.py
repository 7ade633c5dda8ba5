"""Checks order templates against the rest of the knowledge: every name that a template uses must exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mappings.schema.base.entries import KnowledgeError
from mappings.schema.instruments import Instruments
from mappings.schema.orders import Orders
from mappings.schema.orders.model import Order, OrderCode, TreatmentOrders
from mappings.schema.rules.criteria import Criterion
from mappings.schema.rules.protocols import Protocol, ProtocolParameter
from mappings.schema.treatments import Treatments

_UNITS_BY_USE = {
    "amount": {"mg"},
    "per_kg": {"mg/kg"},
    "count": {"sessions"},
    "times": {"sessions per week"},
    "interval": {"days", "min"},
    "length": {"weeks", "days", "min", "years"},
    "duration": {"min"},
}
"""The units allowed for every use of a parameter."""
_WHOLE_NUMBER_USES = ("count", "times")


def order_source_keys(orders: Orders) -> Iterator[tuple[str, str]]:
    """Every source key that an order template uses, with the file and key that uses it."""
    for where, order_set in orders.named:
        yield from ((f"{where}: sources", key) for key in order_set.sources)
        for order in order_set.orders:
            yield from ((f"{where}: {order.id}.codes", code.source) for code in _codes(order))
            yield from ((f"{where}: {key}", number.source) for key, number in order.numbers)
            if order.weeks:
                yield f"{where}: {order.id}.weeks", order.weeks.source


def check_orders(
    orders: Orders,
    protocols: Mapping[str, Protocol],
    criteria: Mapping[str, Criterion],
    instruments: Instruments,
    treatments: Treatments,
) -> None:
    """Raise :class:`KnowledgeError` for the first name, number or code that does not fit."""
    _check_parameters(orders, protocols)
    for where, order_set in orders.named:
        for order in order_set.orders:
            for instrument in order.instruments:
                if instrument not in instruments.forms:
                    raise KnowledgeError(f"{where}: {order.id}.instruments: no instrument {instrument!r}")
    known = {treatment for protocol in protocols.values() for treatment in protocol.treatments}
    for treatment_orders in orders.by_id.values():
        _check_names(treatment_orders, orders, criteria, known)
        _check_codes(treatment_orders, treatments)
    _check_data(orders, criteria)
    for protocol in protocols.values():
        _check_steps(protocol, orders)


def _check_parameters(orders: Orders, protocols: Mapping[str, Protocol]) -> None:
    """Every parameter exists in at least one protocol, and everywhere with a unit and values that suit its use."""
    known = {name for protocol in protocols.values() for name in protocol.parameters}
    for where, order_set in orders.named:
        if unknown := sorted(order_set.named_parameters - known):
            raise KnowledgeError(f"{where}: no parameter {unknown[0]!r} in any protocol")
        uses = [use for order in order_set.orders for use in _uses(order)]
        for protocol in protocols.values():
            for use, name in uses:
                if name in protocol.parameters:
                    _check_use(use, name, protocol.parameters[name], f"{protocol.id}.yaml: parameters")
    if orders.words.weight_max_age not in known:
        raise KnowledgeError(f"_words.yaml: weight_max_age: no parameter {orders.words.weight_max_age!r}")


def _uses(order: Order) -> Iterator[tuple[str, str]]:
    for line in order.lines:
        yield from ((use, name) for use, name in line.schedule if name)
        if line.dose:
            yield ("amount", line.dose.amount) if line.dose.amount else ("per_kg", line.dose.per_kg)


def _check_use(use: str, name: str, parameter: ProtocolParameter, where: str) -> None:
    if parameter.unit not in _UNITS_BY_USE[use]:
        raise KnowledgeError(f"{where}.{name}.unit: an order uses it in {' or '.join(sorted(_UNITS_BY_USE[use]))}")
    ends = [end for end in (parameter.low, parameter.high) if end is not None]
    if min(ends) <= 0 or ends != sorted(ends):
        raise KnowledgeError(f"{where}.{name}: an order needs a number above 0, or a range from lower to higher")
    if use in _WHOLE_NUMBER_USES and not all(end.is_integer() for end in ends):
        raise KnowledgeError(f"{where}.{name}: an order needs whole {parameter.unit}")


def _check_names(
    templates: TreatmentOrders, orders: Orders, criteria: Mapping[str, Criterion], treatments: set[str]
) -> None:
    where = f"{templates.id}.yaml"
    for criterion in templates.unless:
        if criterion not in criteria:
            raise KnowledgeError(f"{where}: unless: no criterion {criterion!r}")
    for name in templates.company:
        if name not in orders.by_id or orders.by_id[name].treatment:
            raise KnowledgeError(f"{where}: along, monitored_by: no orders {name!r} that go along with others")
    for key, treatment in (("treatment", templates.treatment), ("instead_of", templates.instead_of)):
        if treatment and treatment not in treatments:
            raise KnowledgeError(f"{where}: {key}: no protocol treats of {treatment!r}")


def _check_codes(templates: TreatmentOrders, treatments: Treatments) -> None:
    """Tandem must recognise its own drafts as orders of that treatment when they are selected or signed."""
    if templates.treatment not in treatments.by_id:
        return
    for order in templates.orders:
        if treatments.of_code((code.system, code.code) for code in order.codes) != templates.treatment:
            raise KnowledgeError(
                f"{templates.id}.yaml: {order.id}.codes: not a code of {templates.treatment} in treatments/"
            )


def _check_data(orders: Orders, criteria: Mapping[str, Criterion]) -> None:
    if orders.words.weight_datum not in orders.data:
        raise KnowledgeError(f"_words.yaml: weight_datum: no orders for {orders.words.weight_datum!r} in _data.yaml")
    asked = {criterion.ask.datum for criterion in criteria.values()} | {orders.words.weight_datum}
    for datum in orders.data:
        if datum not in asked:
            raise KnowledgeError(f"_data.yaml: {datum}: no criterion asks for it")
    if orders.words.reason not in criteria:
        raise KnowledgeError(f"_words.yaml: reason: no criterion {orders.words.reason!r}")


def _check_steps(protocol: Protocol, orders: Orders) -> None:
    """Every step to be ordered has orders, and the protocol has all parameters of these and of their companions."""
    for name, pathway in protocol.pathways.items():
        for step in pathway.steps:
            if step.begins == "if_needed":
                continue
            where = f"{protocol.id}.yaml: pathways.{name}.steps"
            step_orders = orders.of_treatment(step.treatment)
            if step_orders is None:
                raise KnowledgeError(f"{where}: no orders for {step.treatment!r} in orders/")
            needed = step_orders.parameters.union(*(orders.by_id[name].parameters for name in step_orders.company))
            if missing := sorted(needed - protocol.parameters.keys()):
                raise KnowledgeError(f"{where}: {step.treatment} needs the parameter {missing[0]!r}")


def _codes(order: Order) -> tuple[OrderCode, ...]:
    return order.codes + tuple(code for detail in order.details for code in detail.codes)
