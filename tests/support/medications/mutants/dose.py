"""Without a rule of how much is taken a day."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from fhir_plugin.facts.medications import dosage, exposures, intakes, supply
from fhir_plugin.facts.medications.exposures import DailyDose
from fhir_plugin.facts.medications.intakes import Amount
from fhir_plugin.facts.medications.sigs.grammar import SigParser
from mappings.schema.medications import Medications
from tests.support.medications.mutants.registry import after, before, mutant, nothing


@mutant
def patch_for_an_hour(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(intakes, "HOURS_PER_DAY", 1)


@mutant
def no_dispense_arithmetic(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(exposures, "_supplied_dose", nothing)


@mutant
def no_structured_dosage(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(dosage, "_structured", nothing)


@mutant
def no_text_sigs(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(dosage, "read_sig", nothing)


@mutant
def no_patient_instruction(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(patch, dosage, "_element", lambda element: replace(element, patient_instruction=None))


@mutant
def an_unknown_dose_suffices(patch: pytest.MonkeyPatch, known: Medications) -> None:
    after(patch, exposures, "_doses", lambda doses: doses or (DailyDose(0, 1000.0),))


@mutant
def millilitres_not_read(patch: pytest.MonkeyPatch, known: Medications) -> None:
    kept = intakes._by_units
    patch.setattr(intakes, "_by_units", lambda intake, part: None if part.unit == "MG/ML" else kept(intake, part))


@mutant
def high_end_of_a_range(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(dosage, "_dose", lambda choices: choices[0].dose_range.high)


@mutant
def ceiling_read_as_dose(patch: pytest.MonkeyPatch, known: Medications) -> None:
    after(patch, exposures, "_doses", lambda doses: doses or (DailyDose(0, 200.0),))


@mutant
def frequency_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(patch, dosage, "_by_repeat", lambda repeat: replace(repeat, frequency=1.0))


@mutant
def greatest_frequency(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(patch, dosage, "_by_repeat", lambda repeat: replace(repeat, frequency=2.0))


@mutant
def period_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(patch, dosage, "_by_repeat", lambda repeat: replace(repeat, period=1.0))


@mutant
def longest_period_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(patch, dosage, "_by_repeat", lambda repeat: replace(repeat, period_max=None))


@mutant
def moments_not_counted(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(patch, dosage, "_by_repeat", lambda repeat: replace(repeat, when=repeat.when[:1]))


@mutant
def clock_times_not_counted(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(patch, dosage, "_by_repeat", lambda repeat: replace(repeat, time_of_day=repeat.time_of_day[:1]))


@mutant
def weekdays_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(dosage, "DAYS_PER_WEEK", 3)


@mutant
def words_of_a_timing_code_not_read(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(dosage, "read_frequency", nothing)


@mutant
def as_needed_flag_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(patch, dosage, "_element", lambda element: replace(element, as_needed_boolean=None))


@mutant
def as_needed_reason_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(patch, dosage, "_element", lambda element: replace(element, as_needed_codeable_concept=None))


@mutant
def only_the_first_of_concurrent_elements(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(dosage, "_together", lambda group: group[0])


@mutant
def sequence_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    before(patch, dosage, "_in_sequence", lambda read: [(0, phases) for _, phases in read])


@mutant
def bounds_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(dosage, "_bounds", nothing)


@mutant
def last_phase_over_at_once(patch: pytest.MonkeyPatch, known: Medications) -> None:
    def length(reading: dosage.DosageReading, fill: supply.Fill) -> int:
        return int(sum(phase.days or 0 for phase in reading.structured or reading.text or ()))

    patch.setattr(exposures, "_length", length)


@mutant
def calculated_dose_stands(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(dosage, "_is_ordered", lambda kind: False)


@mutant
def mixed_numbers_not_read(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(SigParser, "_mixed", lambda self: False)


@mutant
def stated_milligrams_ignored(patch: pytest.MonkeyPatch, known: Medications) -> None:
    patch.setattr(intakes, "_stated", lambda units, stated, by_units, part: Amount(units * stated))


@mutant
def every_so_many_hours_is_once(patch: pytest.MonkeyPatch, known: Medications) -> None:
    kept = SigParser._frequency
    patch.setattr(SigParser, "_frequency", lambda self, per_day: kept(self, min(per_day, 1.0)))


@mutant
def ranges_of_words_at_the_high_end(patch: pytest.MonkeyPatch, known: Medications) -> None:
    kept = SigParser._quantity

    def quantity(self: Any) -> float:
        before = len(self._flags)
        amount = kept(self)
        return amount * 2 if len(self._flags) > before else amount

    patch.setattr(SigParser, "_quantity", quantity)
