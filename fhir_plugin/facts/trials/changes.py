"""Treatments that were started, each of which may speak of the failure of the one before; and allergies on record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fhir_plugin.facts.days.drugs import WindowedDrug
from fhir_plugin.facts.medications.histories import MedicationHistory
from fhir_plugin.facts.medications.products import identify
from fhir_plugin.facts.trials.outcomes import TreatmentChange
from fhir_plugin.facts.trials.trial import Augmentation
from fhir_plugin.record.dates import day_span
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import AllergyIntolerance, Procedure
from mappings.schema.medications import CodeSet, Medications

_DONE = ("completed", "in-progress")


def changes_of(
    record: Record,
    history: MedicationHistory,
    drugs: Sequence[WindowedDrug],
    augmentations: Sequence[Augmentation],
    known: Medications,
) -> list[TreatmentChange]:
    """Every antidepressant, augmentation and interventional treatment that was started, the earliest first."""
    found = [
        TreatmentChange(start, drug.ingredient, "next_antidepressant")
        for drug in drugs
        for start, stop in drug.eras
        if _is_switch(drug, start, stop, known)
    ]
    found += [TreatmentChange(a.start.toordinal(), a.ingredient, "augmented") for a in augmentations if a.certain]
    for ingredient, exposures in history.exposures.items():
        if "ketamine" in known.ingredients[ingredient].groups:
            starts = (e.window.start for e in exposures if e.counted)
            found += [TreatmentChange(day, ingredient, "interventional") for day in starts if day is not None]
    found += _procedures(record, known)
    return sorted(found)


def _is_switch(drug: WindowedDrug, start: int, stop: int, known: Medications) -> bool:
    """A hypnotic dose of a sedating antidepressant is no switch, nor is what may not count at all."""
    if not drug.begins(start, stop):
        return False
    if not known.ingredients[drug.ingredient].low_dose_has_other_use:
        return True
    return any(start <= begin < stop for begin, _ in drug.days.enough)


def _procedures(record: Record, known: Medications) -> Iterable[TreatmentChange]:
    named = (("ECT", known.staging.ect_codes), ("TMS", known.staging.tms_codes))
    for procedure in record.all("procedures", Procedure):
        if procedure.status not in _DONE or procedure.code is None:
            continue
        for name, codes in named:
            if _is_one_of(procedure, codes):
                period = procedure.performed_period
                span = day_span(procedure.performed_date_time or (period.start if period else None))
                if span is not None:
                    yield TreatmentChange(span.first.toordinal(), name, "interventional")


def _is_one_of(procedure: Procedure, codes: CodeSet) -> bool:
    codings = procedure.code.coding if procedure.code else ()
    return any((coding.system, coding.code) in codes.pairs for coding in codings)


def allergies_of(record: Record, known: Medications) -> list[tuple[str, int]]:
    """Ingredients that an allergy or intolerance names, and the day on which it was recorded."""
    found = []
    for allergy in record.all("allergies", AllergyIntolerance):
        span = day_span(allergy.recorded_date)
        product = identify(allergy.code, known).product if span else None
        if span and product:
            found += [(part.ingredient, span.first.toordinal()) for part in product.parts]
    return found
