"""Every case that stands beside an instrument, read the way a clinician wrote it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pydantic import Field

from fhir_plugin.resources import QuestionnaireResponse
from fhir_plugin.score import score
from mappings.files import KNOWLEDGE, read_yaml
from mappings.instruments import Instruments
from mappings.model import Entry
from tests.scores.responses import response


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


class Cases(Entry):
    cases: tuple[Case, ...]
    changes: tuple[Any, ...] = ()
    crosswalks: tuple[Any, ...] = ()


FILES = sorted((KNOWLEDGE / "instruments").glob("*.cases.yaml"))
CASES = [
    pytest.param(path.name.removesuffix(".cases.yaml"), case, id=f"{path.name.removesuffix('.cases.yaml')}-{case.name}")
    for path in FILES
    for case in read_yaml(path, Cases).cases
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
