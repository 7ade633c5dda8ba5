"""Ways to take one rule of the counting away: from the tables, or from the code."""

from tests.support.medications.mutants import counting, dose, evidence, outcomes, products, windows
from tests.support.medications.mutants.registry import MUTANTS
from tests.support.medications.mutants.tables import mutated

__all__ = ["MUTANTS", "counting", "dose", "evidence", "mutated", "outcomes", "products", "windows"]
