"""Treatments that were started, which may indicate that the previous one failed; and recorded allergies."""

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
from mappings.schema.medications import Medications

_DONE = ("completed", "in-progress")


def changes_of(
    record: Record,
    history: MedicationHistory,
    drugs: Sequence[WindowedDrug],
    augmentations: Sequence[Augmentation],
    medications: Medications,
) -> list[TreatmentChange]:
    """Every antidepressant, augmentation and interventional treatment that was started, earliest first."""
    changes = [
        TreatmentChange(start, drug.ingredient, "next_antidepressant")
        for drug in drugs
        for start, stop in drug.eras
        if _is_switch(drug, start, stop, medications)
    ]
    changes += [TreatmentChange(a.start.toordinal(), a.ingredient, "augmented") for a in augmentations if a.certain]
    for ingredient, exposures in history.exposures.items():
        if "ketamine" in medications.ingredients[ingredient].groups:
            starts = (e.window.start for e in exposures if e.counted and e.window.certain)
            changes += [TreatmentChange(day, ingredient, "interventional") for day in starts if day is not None]
    changes += _procedures(record, medications)
    return sorted(changes)


def _is_switch(drug: WindowedDrug, start: int, stop: int, medications: Medications) -> bool:
    """Whether an era is a switch: neither a hypnotic dose of a sedating antidepressant nor excluded from counting."""
    if not drug.begins(start, stop):
        return False
    if not medications.ingredients[drug.ingredient].low_dose_has_other_use:
        return True
    return any(start <= begin < stop for begin, _ in drug.days.adequate)


def _procedures(record: Record, medications: Medications) -> Iterable[TreatmentChange]:
    codes_by_name = (("ECT", medications.staging.ect_codes), ("TMS", medications.staging.tms_codes))
    for procedure in record.all("procedures", Procedure):
        if procedure.status not in _DONE or procedure.code is None:
            continue
        pairs = [(coding.system, coding.code) for coding in procedure.code.coding]
        for name, codes in codes_by_name:
            if not codes.pairs.isdisjoint(pairs):
                period = procedure.performed_period
                span = day_span(procedure.performed_date_time or (period.start if period else None))
                if span is not None:
                    yield TreatmentChange(span.first.toordinal(), name, "interventional")


def allergies_of(record: Record, medications: Medications) -> list[tuple[str, int]]:
    """Ingredients of recorded allergies and intolerances, with the day on which they were recorded."""
    allergies = []
    for allergy in record.all("allergies", AllergyIntolerance):
        span = day_span(allergy.recorded_date)
        product = identify(allergy.code, medications).product if span else None
        if span and product:
            allergies += [(part.ingredient, span.first.toordinal()) for part in product.parts]
    return allergies
