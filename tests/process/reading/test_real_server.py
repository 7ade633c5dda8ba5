"""Reading from a real FHIR server that holds twelve patients, and ignores a search parameter that it does not know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from cds_hooks.demo.server import fhir_server
from cds_hooks.demo.stories import DemoPatient, demo_patients
from fhir_plugin.errors import PermanentlyUnavailable
from fhir_plugin.reading.gather import FhirAccess
from fhir_plugin.reading.needs import DataNeeds
from fhir_plugin.reading.sources import ServerSource, read_record
from fhir_plugin.record.bundles import subject_reference
from fhir_plugin.record.decoding import record_from_bundle
from fhir_plugin.record.inputs import INPUTS
from fhir_plugin.record.record import Record
from fhir_plugin.record.resources import Observation, QuestionnaireResponse

pytestmark = pytest.mark.server
PATIENTS = tuple(demo_patients(date(2026, 3, 2)))


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with fhir_server(PATIENTS) as url:
        yield url


def references(record: Record) -> dict[str, set[str]]:
    """What was read, by input."""
    return {name: {each.reference for each in record.input(name).resources} for name in INPUTS}


def read_from(base_url: str, patient: str, inputs: tuple[str, ...], codes: tuple[str, ...] = ()) -> Record:
    """The record of one patient on that server."""
    return read_record(ServerSource(FhirAccess(base_url), patient, DataNeeds(inputs, codes), deadline=30))


def codes_of(record: Record) -> tuple[str, ...]:
    """Every code of the observations, as search tokens."""
    codings = (
        coding
        for each in record.all("observations", Observation)
        if each.code is not None
        for coding in each.code.coding
    )
    return tuple(sorted({f"{coding.system}|{coding.code}" for coding in codings}))


@pytest.mark.parametrize("told", PATIENTS, ids=lambda told: told.id)
def test_the_server_gives_the_record_of_the_file(told: DemoPatient, base_url: str) -> None:
    file = record_from_bundle(told.bundle, told.id)
    read = read_from(base_url, told.id, tuple(INPUTS), codes_of(file) or ("none",))
    assert references(read) == references(file)
    assert read.gaps(tuple(INPUTS)) == ()


def test_questionnaire_responses_of_everybody_are_dropped_and_counted(base_url: str) -> None:
    told = next(each for each in PATIENTS if b"QuestionnaireResponse" in each.bundle)
    read = read_from(base_url, told.id, ("patient", "questionnaireResponses"))
    mine = list(read.all("questionnaireResponses", QuestionnaireResponse))
    assert mine
    assert {subject_reference(each) for each in mine} == {f"Patient/{told.id}"}
    assert read.dropped > 0, "the server knows no search parameter of QuestionnaireResponse and returns everybody's"
    assert read.warnings, "and says so"


def test_a_patient_who_is_not_there(base_url: str) -> None:
    with pytest.raises(PermanentlyUnavailable, match=r"patient: not retrieved \(404\)"):
        read_from(base_url, "nobody", tuple(INPUTS), ("44261-6",))
