"""One draft with all inputs of its checks, and the wording of their results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from fhir_plugin.deciding.decide import Decision
from fhir_plugin.deciding.finding import Finding
from fhir_plugin.drafts.draft_orders import Draft
from fhir_plugin.facts.weight import DosingWeight
from fhir_plugin.order_checks.beside import CallSurroundings
from fhir_plugin.order_checks.drafted import DraftMeasures
from fhir_plugin.order_checks.stage import TreatmentStage
from fhir_plugin.order_checks.words import StatedRange
from mappings.schema.load import Knowledge
from mappings.schema.order_checks import OrderChecks
from mappings.schema.order_checks.model import Schedule
from mappings.schema.order_checks.words import OrderCheckWords
from mappings.schema.rules.protocols import Protocol


@dataclass(frozen=True, slots=True)
class DraftCase:
    """One draft for one treatment."""

    draft: Draft
    treatment: str
    drafted: DraftMeasures
    stage: TreatmentStage
    weight: DosingWeight
    findings: Mapping[str, Finding]
    decision: Decision
    beside: CallSurroundings
    protocol: Protocol
    knowledge: Knowledge
    schedule: Schedule | None = None
    """A schedule of its own by which the order is measured."""
    by_code: bool = False
    """Whether its codes show that schedule, each of which is for one day of it."""

    @property
    def order_checks(self) -> OrderChecks:
        """The knowledge about orders."""
        return self.knowledge.order_checks

    @property
    def words(self) -> OrderCheckWords:
        """The sentences."""
        return self.order_checks.words

    def why(self, key: str, **values: object) -> str:
        """One of the reasons, filled in."""
        return self.words.reason(key).format(**values)

    def named(self, treatment: str) -> str:
        """The name of a treatment."""
        return self.knowledge.cards.treatments[treatment]

    def day(self, day: date) -> str:
        """A day as clinicians write it, with the year where it is another."""
        return self.knowledge.wording.days.write(day, self.decision.facts.as_of)

    def dated(self, day: date | None) -> str:
        """What follows something that was ordered on a day; empty if that is not known."""
        return f" {self.words.dated.format(day=self.day(day))}" if day else ""

    def number(self, value: StatedRange) -> str:
        """A number or a range, to two decimals."""
        low, high = (f"{round(end, 2):g}" for end in value)
        return low if low == high else self.words.range.format(low=low, high=high)

    def with_unit(self, value: StatedRange, unit: str) -> str:
        """A value with its unit."""
        return self.words.drafted.value.format(value=self.number(value), unit=unit).strip()

    def dose_by_weight(self, dose: StatedRange, dose_unit: str, value: StatedRange, unit: str) -> str:
        """A dose in ``dose_unit``, and its value per kilogram in ``unit``."""
        return self.words.drafted.by_weight.format(
            dose=self.number(dose), whole=dose_unit, value=self.number(value), unit=unit, weight=self.dated_weight
        )

    @property
    def dated_weight(self) -> str:
        """The weight with its date."""
        return self.words.drafted.weight.format(kilograms=f"{self.weight.kilograms:g}", day=self.weight.day)
