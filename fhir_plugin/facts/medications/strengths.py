"""The strength that a Medication resource states for one of its ingredients. Pure."""

from __future__ import annotations

from fhir_plugin.record.datatypes import Quantity
from mappings.schema.medications import Medications, ProductPart
from mappings.schema.medications.model import DoseUnit


def with_stated_strength(part: ProductPart, strength: object, medications: Medications) -> ProductPart:
    """The part with the strength that the Medication resource states per unit or per mL."""
    numerator, denominator = getattr(strength, "numerator", None), getattr(strength, "denominator", None)
    if numerator is None or not numerator.value or numerator.value < 0:
        return part
    unit = _unit_of(numerator, medications)
    if unit is None or unit.dimension != "mg":
        return part
    amount = numerator.value * unit.factor
    if denominator is None or denominator.value is None:
        return ProductPart(part.ingredient, amount, "MG")
    if denominator.value <= 0:
        return part
    per = _unit_of(denominator, medications, "1")
    if per is None or per.dimension not in ("unit", "ml"):
        return part
    return ProductPart(part.ingredient, amount / denominator.value, "MG" if per.dimension == "unit" else "MG/ML")


def _unit_of(quantity: Quantity, medications: Medications, otherwise: str = "") -> DoseUnit | None:
    """The unit of a quantity, by its code or its name."""
    return medications.units.get((quantity.code or quantity.unit or otherwise).lower())
