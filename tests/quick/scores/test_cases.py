"""Every case that stands beside an instrument, read the way a clinician wrote it."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest
from pydantic import Field

from fhir_plugin.courses.trend import read_trend
from fhir_plugin.facts.scores.assessment import Assessment
from fhir_plugin.record.dates import DaySpan
from fhir_plugin.record.resources import QuestionnaireResponse
from fhir_plugin.scales.scoring import score
from mappings.schema.base.entries import Entry
from mappings.schema.base.files import KNOWLEDGE, read_yaml
from mappings.schema.instruments import Instruments
from mappings.schema.treatments import Treatments
from tests.support.scores.responses import response


class Case(Entry):
    name: str
    scored_as: str | None = None
    answers: tuple[int | None, ...]
    form: str | None = None
    links: str | None = None
    status: str = "completed"
    repeat: tuple[int, ...] = ()
    more: dict[str, int | str] = Field(default_factory=dict)
    sex: str | None = None
    prorate: bool = False
    total: int | None
    severity: str | None
    flags: frozenset[str]


class ChangeCase(Entry):
    name: str
    start: float = Field(alias="from")
    to: float
    response: bool | None
    percent: float
    reaches: tuple[float, ...] | None = None
    then: float | None = None
    """A third value, for what follows a response."""
    relapse: bool | None = None


class CrosswalkCase(Entry):
    name: str
    total: int
    comparable: str


class Cases(Entry):
    cases: tuple[Case, ...]
    changes: tuple[ChangeCase, ...] = ()
    crosswalks: tuple[CrosswalkCase, ...] = ()


FILES = sorted((KNOWLEDGE / "instruments").glob("[!_]*.cases.yaml"))
CASES = [
    pytest.param(path.name.removesuffix(".cases.yaml"), case, id=f"{path.name.removesuffix('.cases.yaml')}-{case.name}")
    for path in FILES
    for case in read_yaml(path, Cases).cases
]
CHANGES = [
    pytest.param(path.name.removesuffix(".cases.yaml"), case, id=f"{path.name.removesuffix('.cases.yaml')}-{case.name}")
    for path in FILES
    for case in read_yaml(path, Cases).changes
]


@pytest.mark.parametrize(("instrument", "case"), CASES)
def test_case(instruments: Instruments, instrument: str, case: Case) -> None:
    identifier = case.scored_as or instrument
    raw = response(
        instruments,
        instruments[identifier],
        case.answers,
        form=case.form,
        links=case.links,
        status=case.status,
        repeat=case.repeat,
        more=case.more,
    )
    scored = score(
        msgspec.json.decode(raw, type=QuestionnaireResponse), instruments, sex=case.sex, prorate=case.prorate
    )
    assert (scored.instrument, scored.total, scored.severity, set(scored.flags)) == (
        identifier,
        case.total,
        case.severity,
        case.flags,
    )


def test_every_instrument_has_cases(instruments: Instruments) -> None:
    covered = {case.values[0] for case in CASES} | {case.values[1].scored_as for case in CASES}
    assert covered >= set(instruments.forms)


@pytest.mark.parametrize(("instrument", "case"), CHANGES)
def test_change(instruments: Instruments, treatments: Treatments, instrument: str, case: ChangeCase) -> None:
    series = [
        Assessment(instrument=instrument, total=total, day=DaySpan(day, day), reference=f"Observation/{total}")
        for total, day in ((case.start, date(2024, 1, 1)), (case.to, date(2024, 3, 1)))
    ]
    trend = read_trend(series, (), instruments.forms[instrument], treatments.response)
    assert trend is not None
    assert trend.percent is not None
    assert (trend.response, round(trend.percent, 1)) == (case.response, case.percent)
    if case.reaches is not None:
        assert tuple(each.points or each.percent for each in trend.advisories if each.reached) == case.reaches
    if case.then is not None:
        day = date(2024, 5, 1)
        later = Assessment(instrument=instrument, total=case.then, day=DaySpan(day, day), reference="Observation/3")
        after = read_trend([*series, later], (), instruments.forms[instrument], treatments.response)
        assert after is not None
        assert after.relapse is case.relapse


def test_a_crosswalk_only_names_a_comparable_severity(instruments: Instruments) -> None:
    for path in FILES:
        for case in read_yaml(path, Cases).crosswalks:
            crosswalk = instruments[path.name.removesuffix(".cases.yaml")].crosswalk
            assert crosswalk is not None
            assert crosswalk.table[case.total] == case.comparable
            assert "never to compute response" in crosswalk.use
