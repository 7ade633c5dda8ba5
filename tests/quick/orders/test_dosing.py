"""A dose by weight is the parameter times the weight, rounded by the rule of its template, and nothing else."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from fhir_plugin.orders.dosing import dose_by_weight, exact
from mappings.schema.base.entries import Number, Verification
from mappings.schema.orders.model import OrderDose
from mappings.schema.rules.protocols import ProtocolParameter
from tests.support.profiles import examples
from tests.support.shipped import shipped

SHIPPED = [
    line.dose
    for orders in shipped().orders.by_id.values()
    for order in orders.orders
    for line in order.lines
    if line.dose and line.dose.per_kg
]

weights = st.floats(20, 400, allow_nan=False)
rates = st.integers(5, 200).map(lambda hundredths: hundredths / 100)


def per_kg(low: float, high: float | None = None) -> ProtocolParameter:
    return ProtocolParameter(low=low, high=high, unit="mg/kg", source="design", verification=Verification.DESIGN)


def step(value: Number | None) -> Decimal:
    assert value is not None
    return exact(value.value)


def doses() -> st.SearchStrategy[OrderDose]:
    """The shipped rules, and rules with other steps."""

    def with_steps(dose: OrderDose, weight_to: float, round_to: float) -> OrderDose:
        number = Number(value=1, source="design", verification=Verification.DESIGN)
        return dose.model_copy(
            update={
                "weight_to": number.model_copy(update={"value": weight_to}),
                "round_to": number.model_copy(update={"value": round_to}),
            }
        )

    steps = st.sampled_from([0.1, 0.25, 0.5, 1.0, 2.5])
    return st.sampled_from(SHIPPED) | st.builds(with_steps, st.sampled_from(SHIPPED), steps, steps)


@examples(3)
@given(doses(), rates, weights)
def test_the_dose_is_the_product_rounded_down(dose: OrderDose, rate: float, kilograms: float) -> None:
    found = dose_by_weight(dose, per_kg(rate), kilograms)
    assert abs(found.weight - exact(kilograms)) <= step(dose.weight_to) / 2
    assert found.weight % step(dose.weight_to) == 0
    assert found.product.low == found.weight * exact(rate)
    assert 0 <= found.product.low - found.dose.low < step(dose.round_to)
    assert found.dose.low % step(dose.round_to) == 0
    assert found.dose.high is None


@examples(2)
@given(doses(), rates, weights, weights)
def test_who_weighs_more_never_gets_less(dose: OrderDose, rate: float, one: float, other: float) -> None:
    lighter, heavier = sorted((one, other))
    assert dose_by_weight(dose, per_kg(rate), lighter).dose.low <= dose_by_weight(dose, per_kg(rate), heavier).dose.low


@examples(1)
@given(doses(), rates, rates, weights)
def test_a_range_of_the_parameter_is_a_range_of_the_dose(
    dose: OrderDose, one: float, other: float, weight: float
) -> None:
    low, high = sorted((one, other))
    found = dose_by_weight(dose, per_kg(low, high), weight).dose
    assert found.low == dose_by_weight(dose, per_kg(low), weight).dose.low
    assert found.high == dose_by_weight(dose, per_kg(high), weight).dose.low
    assert found.high is not None
    assert found.low <= found.high == found.highest
