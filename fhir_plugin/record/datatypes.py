"""Partial views of the FHIR R4 data types that are read."""

from __future__ import annotations

import msgspec

Raw = msgspec.Raw


UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for invalid bytes: the wrong structure, not JSON, not UTF-8, nested too deeply."""


class Element(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A FHIR element: camelCase in JSON, snake_case here; unknown members are ignored."""


class Meta(Element, frozen=True):
    last_updated: str | None = None


class Coding(Element, frozen=True):
    system: str | None = None
    code: str | None = None
    display: str | None = None
    extension: tuple[Extension, ...] = ()


class CodeableConcept(Element, frozen=True, cache_hash=True):
    coding: tuple[Coding, ...] = ()
    text: str | None = None

    @property
    def label(self) -> str:
        """The human-readable name: the text, else the first display, else the first code."""
        if self.text:
            return self.text
        return next((coding.display for coding in self.coding if coding.display), None) or next(
            (coding.code for coding in self.coding if coding.code), ""
        )


class Quantity(Element, frozen=True):
    value: float | None = None
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None


class Range(Element, frozen=True):
    low: Quantity | None = None
    high: Quantity | None = None


class Ratio(Element, frozen=True):
    numerator: Quantity | None = None
    denominator: Quantity | None = None


class Period(Element, frozen=True):
    start: str | None = None
    end: str | None = None


class Reference(Element, frozen=True):
    reference: str | None = None
    type: str | None = None
    display: str | None = None


class Identifier(Element, frozen=True):
    type: CodeableConcept | None = None
    system: str | None = None
    value: str | None = None


class PayorReference(Element, frozen=True):
    reference: str | None = None
    display: str | None = None
    identifier: Identifier | None = None


class HumanName(Element, frozen=True):
    use: str | None = None
    text: str | None = None
    family: str | None = None
    given: tuple[str, ...] = ()


class Extension(Element, frozen=True):
    url: str | None = None
    value_decimal: float | None = None
    value_integer: float | None = None
    value_string: str | None = None
    value_date_time: str | None = None
    value_coding: Coding | None = None


class Annotation(Element, frozen=True):
    text: str | None = None
    time: str | None = None


class TimingRepeat(Element, frozen=True):
    bounds_duration: Quantity | None = None
    bounds_range: Range | None = None
    bounds_period: Period | None = None
    count: float | None = None
    count_max: float | None = None
    duration: float | None = None
    duration_max: float | None = None
    duration_unit: str | None = None
    frequency: float | None = None
    frequency_max: float | None = None
    period: float | None = None
    period_max: float | None = None
    period_unit: str | None = None
    day_of_week: tuple[str, ...] = ()
    time_of_day: tuple[str, ...] = ()
    when: tuple[str, ...] = ()


class Timing(Element, frozen=True):
    event: tuple[str, ...] = ()
    repeat: TimingRepeat | None = None
    code: CodeableConcept | None = None


class DoseAndRate(Element, frozen=True):
    type: CodeableConcept | None = None
    dose_quantity: Quantity | None = None
    dose_range: Range | None = None
    rate_quantity: Quantity | None = None
    rate_ratio: Ratio | None = None


class Dosage(Element, frozen=True, cache_hash=True):
    sequence: float | None = None
    text: str | None = None
    patient_instruction: str | None = None
    timing: Timing | None = None
    as_needed_boolean: bool | None = None
    as_needed_codeable_concept: CodeableConcept | None = None
    route: CodeableConcept | None = None
    dose_and_rate: tuple[DoseAndRate, ...] = ()
