"""All facts of a record, read once, in the order of their dependencies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import msgspec

from fhir_plugin.facts.allergies import read_ketamine_allergy
from fhir_plugin.facts.conditions import Conditions, read_conditions
from fhir_plugin.facts.fact import Fact
from fhir_plugin.facts.interactions import read_interactions
from fhir_plugin.facts.medications.products import ProductReader
from fhir_plugin.facts.observations.laboratory import read_laboratory
from fhir_plugin.facts.observations.measured import read_measured
from fhir_plugin.facts.observations.sorting import sort_observations
from fhir_plugin.facts.observations.vitals import Vitals, read_vitals
from fhir_plugin.facts.person import read_age, read_childbearing
from fhir_plugin.facts.scores.read import ScoreHistory, read_scores
from fhir_plugin.facts.screens import read_screens
from fhir_plugin.facts.treatments.read import TreatmentHistory, read_treatments
from fhir_plugin.facts.trials.read import TrialHistory, read_trials
from fhir_plugin.facts.unread_entries import unread_entries
from fhir_plugin.record.record import Record
from mappings.schema.load import Knowledge


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the record says on the day of assessment."""

    as_of: date
    named: Mapping[str, Fact]
    """The facts that criteria compare, by their names in ``facts.yaml`` and as ``conditions.<topic>``."""
    conditions: Conditions
    vitals: Vitals
    scores: ScoreHistory
    treatments: TreatmentHistory
    trials: TrialHistory


def read_facts(record: Record, knowledge: Knowledge, as_of: date) -> Facts:
    """Read all facts; pure, so the same record, knowledge and day give the same facts."""
    unread = unread_entries(record, knowledge)
    conditions = read_conditions(record, knowledge, as_of, unread)
    observations = sort_observations(record, knowledge)
    vitals = read_vitals(record, observations, knowledge, as_of)
    scores = read_scores(record, knowledge.instruments, as_of)
    treatments = read_treatments(record, knowledge.treatments, as_of, scores.assessments, knowledge.instruments)
    age = read_age(record, knowledge, as_of)
    childbearing = read_childbearing(record, knowledge, age)
    products = ProductReader(knowledge.medications, record.medications)
    trials = read_trials(record, knowledge.medications, as_of, assessments=scores.assessments, products=products)
    allergies = read_ketamine_allergy(record, knowledge, as_of, unread)
    laboratory = {
        **read_laboratory(record, observations, knowledge, as_of),
        **read_measured(record, observations, knowledge, as_of),
    }
    named = {
        age.name: age,
        childbearing.name: childbearing,
        **{allergy.name: allergy for allergy in allergies},
        **vitals.facts(),
        **conditions.facts(),
        **scores.facts(),
        **treatments.facts(),
        **trials.facts(),
        **read_interactions(record, knowledge, as_of, products),
        **laboratory,
        **read_screens(record, knowledge, scores, laboratory, as_of),
    }
    return Facts(
        as_of=as_of,
        named=named,
        conditions=conditions,
        vitals=vitals,
        scores=scores,
        treatments=treatments,
        trials=trials,
    )
