"""Whole charts that Hypothesis draws: entries of every kind that is read, in several code systems and in words."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from mappings.schema.codes.laboratory import LaboratoryTest
from tests.support.knowledge.charts import observation, pressure
from tests.support.medications.drawn import SIGS
from tests.support.medications.records import RXNORM
from tests.support.scores.responses import response
from tests.support.shipped import shipped

Resources = list[dict[str, Any]]
Entries = st.SearchStrategy[Resources]

KNOWN = shipped()
LOINC = "http://loinc.org"
DAY = date(2026, 6, 1)
"""The day of assessment of these charts."""
SUBJECT = {"reference": "Patient/p"}


def _coded(code: str, system: str = LOINC) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def _codes_read_in(place: str) -> list[dict[str, Any]]:
    """The first codes of every value set of a place, by meaning, without words."""
    found = []
    for value_set in KNOWN.value_sets.sets:
        meanings = (value_set.current, value_set.past, value_set.possible) if place in value_set.read_in else ()
        found += [
            _coded(str(code), value_set.system)
            for labels in meanings
            for codes in labels.values()
            for code in codes[:2]
        ]
    return found


def _in_words(*names: str) -> list[dict[str, Any]]:
    return [{"text": name} for name in names]


DAYS = st.integers(0, 500).map(lambda back: (DAY - timedelta(days=back)).isoformat())
DATES = st.one_of(DAYS, DAYS, DAYS, DAYS, st.sampled_from(["2025", "2026-04", "2026-09-01"]))


def _status(*codes: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from(codes).map(lambda code: {"coding": [{"code": code}]})


def _entries(kind: str, required: dict[str, Any], optional: dict[str, Any]) -> Entries:
    """One resource of a kind."""
    always = {"resourceType": st.just(kind), "subject": st.just(SUBJECT)} | required
    return st.fixed_dictionaries(always, optional=optional).map(lambda found: [found])


CONDITIONS = _entries(
    "Condition",
    {
        "code": st.sampled_from(
            [
                *_codes_read_in("conditions"),
                *_in_words("Epilepsy", "s/p ICH", "AUD", "Hypertension", "Allergy to ketamine", "Ingrown toenail"),
                *_in_words("Cerebral aneurysm", "Severe depression", "Cirrhosis", "Pregnant"),
            ]
        )
    },
    {
        "clinicalStatus": _status("active", "active", "recurrence", "resolved", "remission"),
        "verificationStatus": _status("confirmed", "provisional", "refuted"),
        "onsetDateTime": DATES,
        "recordedDate": DATES,
        "abatementDateTime": DATES,
        "note": st.sampled_from(["failed Zoloft, Effexor", "seizure 2019", "stable"]).map(
            lambda text: [{"text": text}]
        ),
    },
)
DEPRESSION = st.builds(
    lambda code, day: [
        {
            "resourceType": "Condition",
            "subject": SUBJECT,
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "code": code,
            "onsetDateTime": day,
        }
    ],
    st.sampled_from(
        [_coded("F33.1", "http://hl7.org/fhir/sid/icd-10-cm"), _coded("370143000", "http://snomed.info/sct")]
    ),
    DAYS,
)
PROCEDURES = _entries(
    "Procedure",
    {
        "code": st.sampled_from(
            [
                *_codes_read_in("procedures"),
                *_in_words("Clipping of cerebral aneurysm", "Cochlear implantation", "Appendectomy", "TMS"),
                _coded("90868", "http://www.ama-assn.org/go/cpt"),
            ]
        )
    },
    {
        "status": st.sampled_from(["completed", "completed", "in-progress", "unknown", "not-done"]),
        "performedDateTime": DATES,
        "bodySite": st.just([{"text": "head"}]),
    },
)
_DEVICE_STATUS = {"status": st.sampled_from(["active", "inactive", "unknown"])}
_DEVICE_TYPES = st.sampled_from([*_codes_read_in("devices"), *_in_words("Cochlear implant", "Crutches")])
DEVICES = st.one_of(
    _entries("Device", {"patient": st.just(SUBJECT), "type": _DEVICE_TYPES}, _DEVICE_STATUS),
    _entries(
        "Device",
        {"patient": st.just(SUBJECT), "deviceName": st.just([{"name": "vagus nerve stimulator"}])},
        _DEVICE_STATUS,
    ),
)
ALLERGIES = _entries(
    "AllergyIntolerance",
    {
        "patient": st.just(SUBJECT),
        "code": st.sampled_from([_coded("6130", RXNORM), *_in_words("Ketamine", "Ketalar", "Spravato", "Penicillin")]),
    },
    {
        "type": st.sampled_from(["allergy", "intolerance"]),
        "criticality": st.sampled_from(["high", "low"]),
        "clinicalStatus": _status("active", "resolved"),
        "verificationStatus": _status("confirmed", "unconfirmed", "refuted"),
        "recordedDate": DATES,
        "reaction": st.sampled_from(["Hives", "Anaphylaxis", "Nausea"]).map(
            lambda word: [{"manifestation": [{"text": word}], "severity": "severe"}]
        ),
    },
)

PRESSURES = st.builds(
    lambda high, low, day: [pressure(high, low, day)], st.integers(95, 200), st.integers(50, 120), DAYS
)
SPLIT_PRESSURES = st.builds(
    lambda high, low, day: [observation("8480-6", high, "mmHg", day), observation("8462-4", low, "mm[Hg]", day)],
    st.integers(95, 200),
    st.integers(50, 94),
    DAYS,
)
NUMBERS = st.builds(
    lambda test, step, day: [
        observation(
            test.codes[0], test.lowest.value + step * (test.highest.value - test.lowest.value) / 40, test.unit, day
        )
    ],
    st.sampled_from([*KNOWN.laboratory.measured.values()]),
    st.integers(0, 12),
    DAYS,
)


def _result(test: LaboratoryTest, positive: bool, by_words: bool, day: str) -> Resources:
    words = test.positive if positive else test.negative
    system, codes = min(words.codes.items())
    value = {"valueString": min(words.words)} if by_words else {"valueCodeableConcept": _coded(min(codes), system)}
    return [
        {"resourceType": "Observation", "status": "final", "code": _coded(test.codes[0]), "effectiveDateTime": day}
        | value
    ]


_CODED_TESTS = st.sampled_from([test for test in KNOWN.laboratory.tests.values() if test.codes])
TESTS = st.builds(_result, _CODED_TESTS, st.booleans(), st.booleans(), DAYS)
PREGNANCY_LEVELS = st.builds(
    lambda level, day: [observation("21198-7", level, "m[IU]/mL", day)], st.sampled_from([1, 12, 900]), DAYS
)
TOTALS = st.builds(
    lambda form, share, day: [
        observation(form.instrument.loinc.total, round(share * form.instrument.range[1] / 9), "{score}", day)
    ],
    st.sampled_from(
        [form for form in KNOWN.instruments.forms.values() if form.instrument.loinc and form.instrument.range]
    ),
    st.integers(0, 9),
    DAYS,
)
SUICIDE_ITEMS = st.builds(
    lambda code, day: [
        {
            "resourceType": "Observation",
            "status": "final",
            "code": _coded("44260-8"),
            "valueCodeableConcept": _coded(code),
            "effectiveDateTime": day,
        }
    ],
    st.sampled_from(["LA6568-5", "LA6571-9"]),
    DAYS,
)


def _response(name: str, highest: int, seed: int, day: str) -> Resources:
    """Every item answered, some with the highest answer."""
    instrument = KNOWN.instruments[name]
    answers = [highest * (seed >> place & 1) for place in range(len(instrument.items))]
    return [json.loads(response(KNOWN.instruments, instrument, answers, authored=day)) | {"subject": SUBJECT}]


RESPONSES = st.one_of(
    st.builds(_response, st.just("phq9"), st.just(3), st.integers(0, 511), DAYS),
    st.builds(_response, st.just("tms_safety"), st.just(1), st.integers(0, 255), DAYS),
    st.builds(_response, st.just("audit_c"), st.just(4), st.integers(0, 7), DAYS),
)

_NAMED = st.sampled_from(
    [
        *[
            {"medicationCodeableConcept": _coded(code, RXNORM)}
            for code in ("312940", "312941", "349332", "36437", "596")
        ],
        *[
            {"medicationCodeableConcept": {"text": text}}
            for text in (
                *("sertraline 100 mg", "Zoloft", "phenelzine 15 mg", "alprazolam 1 mg", "oxycodone 5 mg", "Adderall"),
                *("lamotrigine", "clozapine 100 mg", "venlafaxine 150 mg", "bupropion 300 mg", "lisinopril 10 mg"),
            )
        ],
        {"medicationReference": {"reference": "Medication/m1"}},
        {"medicationReference": {"reference": "Medication/m2"}},
        {"medicationReference": {"reference": "Medication/none", "display": "tranylcypromine 10 mg"}},
        {
            "medicationReference": {"reference": "#m"},
            "contained": [{"resourceType": "Medication", "id": "m", "code": {"text": "methadone 10 mg"}}],
        },
    ]
)
MEDICATIONS: Resources = [
    {"resourceType": "Medication", "id": "m1", "code": _coded("312941", RXNORM)},
    {"resourceType": "Medication", "id": "m2", "code": {"text": "lorazepam 1 mg tablet"}},
]
_SIGS = st.sampled_from(SIGS).map(lambda text: [{"text": text}])
_SUPPLY = st.sampled_from([14, 30, 90]).map(lambda days: {"value": days, "unit": "days", "code": "d"})
_REASONS = st.sampled_from(["depression", "insomnia", "seizures"]).map(lambda text: [{"text": text}])
_NOTES = st.sampled_from(["no benefit", "stopped for nausea", "failed Zoloft"]).map(lambda text: [{"text": text}])


def _drugs(kind: str, members: dict[str, Any]) -> Entries:
    return st.tuples(_entries(kind, {}, members), _NAMED).map(lambda pair: [pair[0][0] | pair[1]])


DRUGS = st.one_of(
    _drugs(
        "MedicationRequest",
        {
            "status": st.sampled_from(["active", "active", "completed", "stopped", "on-hold", "cancelled"]),
            "intent": st.sampled_from(["order", "order", "plan"]),
            "authoredOn": DATES,
            "dosageInstruction": _SIGS,
            "dispenseRequest": st.builds(
                lambda supply, refills: {"expectedSupplyDuration": supply, "numberOfRepeatsAllowed": refills},
                _SUPPLY,
                st.integers(0, 3),
            ),
            "reasonCode": _REASONS,
            "statusReason": st.sampled_from(["no benefit", "side effects"]).map(lambda text: {"text": text}),
            "note": _NOTES,
        },
    ),
    _drugs(
        "MedicationDispense",
        {
            "status": st.sampled_from(["completed", "completed", "declined"]),
            "whenHandedOver": DATES,
            "daysSupply": _SUPPLY,
            "quantity": st.sampled_from([{"value": 30}, {"value": 60}]),
            "dosageInstruction": _SIGS,
        },
    ),
    _drugs(
        "MedicationStatement",
        {
            "status": st.sampled_from(["active", "completed", "stopped", "not-taken"]),
            "effectivePeriod": st.builds(
                lambda start, end: {"start": min(start, end), "end": max(start, end)}, DAYS, DAYS
            ),
            "dosage": _SIGS,
            "reasonCode": _REASONS,
            "note": _NOTES,
        },
    ),
    _drugs(
        "MedicationAdministration",
        {"status": st.sampled_from(["completed", "not-done"]), "effectiveDateTime": DATES},
    ),
)
PATIENTS = st.sampled_from(["female", "male", "unknown"]).map(
    lambda gender: {"resourceType": "Patient", "id": "p", "birthDate": "1980-02-10", "gender": gender}
)
_OBSERVED = st.one_of(PRESSURES, PRESSURES, SPLIT_PRESSURES, NUMBERS, TESTS, PREGNANCY_LEVELS, TOTALS, SUICIDE_ITEMS)
_ENTRIES = st.one_of(
    CONDITIONS, CONDITIONS, DEPRESSION, PROCEDURES, DEVICES, ALLERGIES, _OBSERVED, _OBSERVED, RESPONSES, DRUGS
)


@st.composite
def whole_charts(draw: st.DrawFn) -> Resources:
    """The Patient, two Medications that orders may refer to, and up to a dozen entries."""
    drawn = draw(st.lists(_ENTRIES, min_size=1, max_size=12))
    together = [one for some in drawn for one in some]
    numbered = [{**one, "id": f"e{at}", "subject": SUBJECT} for at, one in enumerate(together)]
    return [draw(PATIENTS), *MEDICATIONS, *numbered]
