"""Doses: a parameter, or a parameter times a weight, rounded as the template says. Pure.

Computed in decimals, so that 0.1 is exactly 0.1.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_DOWN, Decimal
from typing import NamedTuple

from mappings.schema.base.entries import Number
from mappings.schema.orders.model import OrderDose
from mappings.schema.rules.protocols import ProtocolParameter


class NumberRange(NamedTuple):
    """A number or a range."""

    low: Decimal
    high: Decimal | None = None

    @property
    def highest(self) -> Decimal:
        """The upper end."""
        return self.low if self.high is None else self.high

    def __str__(self) -> str:
        return (
            format_decimal(self.low) if self.high is None else f"{format_decimal(self.low)}-{format_decimal(self.high)}"
        )


class WeightBasedDose(NamedTuple):
    """How a dose by weight was calculated, step by step."""

    weight: Decimal
    """In kg, rounded."""
    product: NumberRange
    """In mg, before it was rounded."""
    dose: NumberRange
    """In mg."""


def amount_of(parameter: ProtocolParameter) -> NumberRange:
    """The value of a parameter."""
    return NumberRange(exact(parameter.low), None if parameter.high is None else exact(parameter.high))


def dose_by_weight(dose: OrderDose, per_kg: ProtocolParameter, kilograms: float) -> WeightBasedDose:
    """The dose in mg for a weight: the product rounded down, so that it never exceeds the parameter."""
    weight = to_step(exact(kilograms), dose.weight_to)
    rate = amount_of(per_kg)
    product = NumberRange(rate.low * weight, None if rate.high is None else rate.high * weight)
    high = None if product.high is None else to_step(product.high, dose.round_to, ROUND_DOWN)
    return WeightBasedDose(weight, product, NumberRange(to_step(product.low, dose.round_to, ROUND_DOWN), high))


def to_step(value: Decimal, step: Number | None, rounding: str = ROUND_HALF_DOWN) -> Decimal:
    """The nearest multiple of a step (ties to the lower), or the next lower with ``ROUND_DOWN``; no step, no change."""
    if step is None:
        return value
    size = exact(step.value)
    return (value / size).to_integral_value(rounding) * size


def exact(value: float) -> Decimal:
    """The number as it is written, not as a binary fraction."""
    return Decimal(repr(value))


def format_decimal(value: Decimal) -> str:
    """The number without trailing zeros."""
    return f"{value.normalize():f}"


def number(value: Decimal) -> int | float:
    """The number as JSON writes it."""
    return int(value) if value == value.to_integral_value() else float(value)
