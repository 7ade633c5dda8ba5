"""Age, and those who have none any more."""

from typing import Any

import pytest

from fhir_plugin.facts.person import read_age
from mappings.load import Knowledge
from tests.knowledge.charts import AS_OF, chart, patient


@pytest.mark.parametrize("died", [{"deceasedBoolean": True}, {"deceasedDateTime": "2026-05"}])
def test_who_has_died_has_no_age(died: dict[str, Any], knowledge: Knowledge) -> None:
    age = read_age(chart(patient() | died), knowledge, AS_OF)
    assert age.value is None
    assert age.missing == ("the record says that the patient has died",)


@pytest.mark.parametrize("alive", [{}, {"deceasedBoolean": False}, {"deceasedDateTime": "2026-12-24"}])
def test_who_is_alive_on_the_day_of_assessment_has_one(alive: dict[str, Any], knowledge: Knowledge) -> None:
    assert read_age(chart(patient() | alive), knowledge, AS_OF).value is not None
