"""Whole charts, each with one harm: what can no longer be read never clears what speaks against a treatment.

The pure line alone, from the bytes of the record to the standing: no service and no HTTP.
`tests.support.knowledge.harms` says which harms there are, and which cannot be noticed.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from fhir_plugin.deciding.assess import assess
from fhir_plugin.deciding.finding import Doubt, Finding, Verdict
from fhir_plugin.deciding.recommend import Recommendation, recommend
from fhir_plugin.deciding.standing import CLEARED, Standing, WeighedFinding
from fhir_plugin.facts import allergies
from fhir_plugin.facts.fact import Count
from fhir_plugin.facts.read import read_facts
from fhir_plugin.record.decoding import record_from_bundle
from fhir_plugin.record.record import InputState
from mappings.schema.rules.protocols import AGAINST, Role
from tests.support.knowledge.charts import PLACES
from tests.support.knowledge.drawn_entries import DAY, KNOWN, SUBJECT, Resources, whole_charts
from tests.support.knowledge.harms import Harm, harmed, harms
from tests.support.profiles import examples

COUNTS = ("trials.adequate", "trials.failed", "trials.lifetime.failed")
WORSE = {"intolerance.ketamine": "hypersensitivity.ketamine"}
"""An allergy that does not say that it is only an intolerance counts as the worse of the two."""
TIMES = 8
"""Harms per chart."""


class Reading(NamedTuple):
    """What follows from one chart."""

    findings: dict[str, Finding]
    trials: dict[str, int]
    """The least number of trials of each kind."""
    recommended: tuple[Recommendation, ...]

    @property
    def weighed(self) -> dict[tuple[str, str], tuple[Standing, tuple[WeighedFinding, ...]]]:
        """The standing of each treatment under each protocol, with the findings that it follows from."""
        return {
            (made.protocol, answer.treatment): (answer.standing, answer.weighed)
            for made in self.recommended
            for answer in made.treatments
        }


def read(chart: Resources, cut: str = "") -> Reading:
    """The reading of a chart; ``cut`` names a list of which the client says that it has more entries."""
    entries = [{"resource": each} for each in chart]
    record = record_from_bundle(
        json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode(), "p"
    )
    if cut:
        part = replace(record.input(cut), state=InputState.PARTIAL)
        record = replace(record, inputs={**record.inputs, cut: part})
    facts = read_facts(record, KNOWN, DAY)
    findings = assess(facts, KNOWN)
    values = {name: facts.named[name].value for name in COUNTS}
    return Reading(
        {finding.criterion: finding for finding in findings},
        {name: value.low for name, value in values.items() if isinstance(value, Count)},
        tuple(recommend(findings, protocol, KNOWN) for protocol in KNOWN.protocols.values()),
    )


@cache
def criteria(roles: frozenset[Role]) -> frozenset[str]:
    clauses = (clause for protocol in KNOWN.protocols.values() for clause in protocol.clauses)
    return frozenset(clause.criterion for clause in clauses if clause.role in roles)


def read_after(chart: Resources, harm: Harm) -> Reading:
    """The reading of a chart after a harm."""
    cut = PLACES[chart[harm.at]["resourceType"]] if harm.kind == "cut" else ""
    return read(harmed(chart, harm), cut)


def gained(before: Reading, after: Reading) -> list[str]:
    """What a harm has improved: it must be nothing."""
    turned = {
        name: finding.verdict
        for name, finding in after.findings.items()
        if finding.verdict is not before.findings[name].verdict
    }
    cleared = [
        name
        for name in criteria(frozenset(AGAINST))
        if turned.get(name) is Verdict.NOT_MET and after.findings[WORSE.get(name, name)].verdict is Verdict.NOT_MET
    ]
    required = frozenset({Role.REQUIRED, Role.EXPECTED})
    fulfilled = [name for name in criteria(required) if turned.get(name) is Verdict.MET]
    more = [name for name, count in after.trials.items() if count > before.trials[name]]
    let_through = [
        f"{treatment} {earlier} -> {later}"
        for (protocol, treatment), (later, _) in after.weighed.items()
        for earlier, weighed in [before.weighed[protocol, treatment]]
        if later in CLEARED and later is not earlier and not _only_unread(earlier, weighed, after)
    ]
    return [*cleared, *fulfilled, *more, *let_through]


def _only_unread(earlier: Standing, weighed: tuple[WeighedFinding, ...], after: Reading) -> bool:
    """Whether what had to be reviewed is now unknown because it cannot be read: that is told, and is no clearing."""
    reviewed = [each for each in weighed if each.standing is Standing.REVIEW]
    return earlier is Standing.REVIEW and all(
        after.findings[each.finding.criterion].doubt is Doubt.UNREAD for each in reviewed
    )


@examples(1.5, HealthCheck.data_too_large, HealthCheck.large_base_example)
@given(whole_charts(), st.randoms(use_true_random=False))
def test_no_harm_clears_or_fulfils_anything(chart: Resources, draw: Any) -> None:
    before = read(chart)
    possible = harms(chart)
    for harm in draw.sample(possible, min(TIMES, len(possible))):
        assert not gained(before, read_after(chart, harm)), harm


def test_what_is_cleared_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    allergy = {"resourceType": "AllergyIntolerance", "id": "a", "patient": SUBJECT, "code": {"text": "Ketamine"}}
    chart = [{"resourceType": "Patient", "id": "p", "birthDate": "1980-02-10"}, allergy]
    before, harm = read(chart), Harm(1, ("code",), "unknown code")
    assert not gained(before, read_after(chart, harm))
    monkeypatch.setattr(allergies, "unread_allergies", lambda _entries, _knowledge: ())
    assert gained(before, read_after(chart, harm)) == ["hypersensitivity.ketamine"]
