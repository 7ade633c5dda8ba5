"""What the first line says, word for word, about small patients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fhir_plugin.deciding.against import against_of
from fhir_plugin.deciding.assess import assess
from fhir_plugin.deciding.headline import headline
from fhir_plugin.deciding.recommend import recommend
from mappings.schema.load import Knowledge
from tests.support.knowledge.cases import facts_of
from tests.support.shipped import load_yaml

TABLE: dict[str, Any] = load_yaml(Path(__file__).parent / "headlines.yaml")
CASES: list[dict[str, Any]] = TABLE["cases"]
TREATMENTS = ("ketamine", "esketamine", "tms")


@pytest.mark.parametrize("case", CASES, ids=[case["patient"] for case in CASES])
def test_the_first_line(case: dict[str, Any], knowledge: Knowledge) -> None:
    merged = {**TABLE["usual"], **case}
    merged["facts"] = {**TABLE["usual"]["facts"], **case.get("facts", {})}
    findings = assess(facts_of(merged, knowledge), knowledge)
    answers = recommend(findings, knowledge.protocols[knowledge.protocol], knowledge).treatments
    for answer in answers:
        if expected := case.get(answer.treatment):
            name = knowledge.cards.treatments[answer.treatment]
            assert headline(name, answer.standing, against_of(answer.weighed, knowledge), knowledge).text == expected
