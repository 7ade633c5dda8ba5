"""The ranges that the protocol gives for an order, and whether they apply to this patient."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fhir_plugin.deciding.finding import Finding, Verdict
from fhir_plugin.order_checks.stage import TreatmentStage
from fhir_plugin.order_checks.words import StatedRange
from mappings.schema.order_checks.model import CheckDefinition, ExpectedRange
from mappings.schema.rules.protocols import Protocol, ProtocolParameter

_DAYS = 7
_MINUTES = 60


class ExpectedBounds(msgspec.Struct, frozen=True, kw_only=True):
    """One range with its sources."""

    range: StatedRange
    sources: tuple[str, ...]
    local: bool
    applies: bool | None
    """``None``: the record does not show it."""
    when: str = ""
    """The criterion that it depends on, where that is unknown."""


def bounds_of(
    check: CheckDefinition, protocol: Protocol, stage: TreatmentStage, findings: Mapping[str, Finding]
) -> tuple[ExpectedBounds, ...]:
    """Every range of the check for which the protocol has a number and that may apply to this patient."""
    bounds = []
    for expected in check.expected:
        applies = _applies(expected, stage, findings)
        if applies is not False and (ranged := _range(expected, protocol)):
            value, parameters = ranged
            bounds.append(
                ExpectedBounds(
                    range=value,
                    sources=tuple(dict.fromkeys(parameter.source for parameter in parameters)),
                    local=any(parameter.local for parameter in parameters),
                    applies=applies,
                    when=expected.when if applies is None and _is_open(expected, findings) else "",
                )
            )
    return tuple(bounds)


def _range(expected: ExpectedRange, protocol: Protocol) -> tuple[StatedRange, list[ProtocolParameter]] | None:
    parameters = protocol.parameters
    base = next((parameters[name] for name in expected.of if name in parameters), None)
    if base is None:
        return None
    used, value = [base], _converted(base)
    if extension := parameters.get(expected.up_to):
        used.append(extension)
        value = StatedRange(value.low, max(value.high, _converted(extension).high))
    if expected.times and base.unit.endswith("per week"):
        if (factor := parameters.get(expected.times)) is None:
            return None
        used.append(factor)
        scale = _converted(factor)
        value = StatedRange(value.low * scale.low, value.high * scale.high)
    if expected.per and not base.unit.endswith("per week"):
        if (divisor := parameters.get(expected.per)) is None:
            return None
        used.append(divisor)
        scale = _converted(divisor).times(1 / _MINUTES if divisor.unit == "min" else 1)
        value = StatedRange(value.low / scale.high, value.high / scale.low)
    return value, used


def _converted(parameter: ProtocolParameter) -> StatedRange:
    """An interval in days as a frequency per week; anything else as it is."""
    low, high = parameter.low, parameter.high if parameter.high is not None else parameter.low
    return StatedRange(_DAYS / high, _DAYS / low) if parameter.unit == "days" else StatedRange(low, high)


def _applies(expected: ExpectedRange, stage: TreatmentStage, findings: Mapping[str, Finding]) -> bool | None:
    """Whether all its conditions hold: false if one does not, else ``None`` if one is unknown."""
    answers = [_in_phase(expected.phase, stage), _in_weeks(expected.weeks, stage)]
    if expected.when:
        answers.append(None if _is_open(expected, findings) else findings[expected.when].verdict is Verdict.MET)
    return False if False in answers else None if None in answers else True


def _is_open(expected: ExpectedRange, findings: Mapping[str, Finding]) -> bool:
    return bool(expected.when) and findings[expected.when].verdict is Verdict.UNKNOWN


def _in_phase(phase: str, stage: TreatmentStage) -> bool | None:
    phases = {"first": stage.first, "maintenance": stage.maintenance}
    if not phase:
        return True
    if phase in phases:
        return phases[phase]
    opposite = phases["first" if phase == "later" else "maintenance"]
    return None if opposite is None else not opposite


def _in_weeks(weeks: tuple[int, int | None] | None, stage: TreatmentStage) -> bool | None:
    if weeks is None:
        return True
    return None if stage.week is None else weeks[0] <= stage.week and (weeks[1] is None or stage.week <= weeks[1])
