"""Age, and those who have none any more."""

from typing import Any

import msgspec
import pytest

from fhir_plugin.facts.person import read_age
from mappings.schema.load import Knowledge
from tests.support.knowledge.charts import AS_OF, chart, patient


@pytest.mark.parametrize("died", [{"deceasedBoolean": True}, {"deceasedDateTime": "2026-05"}])
def test_who_has_died_has_no_age(died: dict[str, Any], knowledge: Knowledge) -> None:
    age = read_age(chart(patient() | died), knowledge, AS_OF)
    assert age.value is None
    assert age.missing == ("the record says that the patient has died",)


def linked(links: Any) -> dict[str, Any]:
    """The member as the Patient keeps it: bytes."""
    return {"link": msgspec.Raw(msgspec.json.encode(links))}


def test_a_patient_who_was_merged_into_another_has_none_and_the_card_can_say_why(knowledge: Knowledge) -> None:
    """What contraindicates may stand under the other Patient."""
    link = {"other": {"reference": "Patient/other"}, "type": "replaced-by"}
    age = read_age(chart(patient() | linked([link])), knowledge, AS_OF)
    assert age.value is None
    assert age.missing == ("this patient was merged into another, whose record was not read",)


@pytest.mark.parametrize("links", [[{"type": "replaces"}], [{"type": "seealso"}], [], "x", [{"type": 3}]])
def test_other_links_and_what_is_none_leave_the_age_alone(links: Any, knowledge: Knowledge) -> None:
    assert read_age(chart(patient() | linked(links)), knowledge, AS_OF).value is not None


@pytest.mark.parametrize("alive", [{}, {"deceasedBoolean": False}, {"deceasedDateTime": "2026-12-24"}])
def test_who_is_alive_on_the_day_of_assessment_has_one(alive: dict[str, Any], knowledge: Knowledge) -> None:
    assert read_age(chart(patient() | alive), knowledge, AS_OF).value is not None
