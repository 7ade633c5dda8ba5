"""From the FHIR server, in the prefetch or by halves: the cards are the same."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.demo.calls import encounter_start, ketamine_order, order_select, order_sign, patient_view, tms_order
from cds_hooks.demo.stories import DemoPatient, demo_patients
from cds_hooks.settings.settings import Settings
from tests.support.demo.server import get
from tests.support.shipped import shipped

pytestmark = pytest.mark.server

ANCHOR = date(2026, 11, 21)
NAMES = [patient.id for patient in demo_patients(ANCHOR)]

WITH_MEDICATIONS = "_count=200&_include=MedicationRequest:medication"
"""Orders may name their drug by reference only; the server follows ``_include`` and passes it over elsewhere."""


@pytest.fixture(scope="module")
def service() -> Iterator[TestClient]:
    with TestClient(create_app(Settings(deadline_seconds=30), shipped(), today=lambda: ANCHOR)) as client:
        yield client


@pytest.fixture(scope="module")
def offered(service: TestClient) -> dict[str, dict[str, Any]]:
    """The published services by hook."""
    return {each["hook"]: each for each in service.get("/cds-services").json()["services"]}


def prefetched(fhir: str, templates: dict[str, str], patient: str, pages: str) -> dict[str, Any]:
    """What an EHR sends as prefetch: each published template run on its FHIR server; ``pages`` is added to searches."""
    found = {}
    for key, template in templates.items():
        query = template.replace("{{context.patientId}}", patient).replace("|", "%7C")
        found[key] = get(fhir, f"{query}&{pages}" if "?" in query else query)
    return found


def without_ids(node: Any) -> Any:
    """The cards without the identifiers that are new every time."""
    if isinstance(node, dict):
        return {key: without_ids(value) for key, value in node.items() if key != "uuid"}
    return [without_ids(value) for value in node] if isinstance(node, list) else node


def answered(service: TestClient, offer: dict[str, Any], request: dict[str, Any]) -> Any:
    answer = service.post(f"/cds-services/{offer['id']}", json=request)
    assert answer.status_code == 200, answer.text
    return without_ids(answer.json()["cards"])


def requests(patient: str, fhir: str) -> dict[str, dict[str, Any]]:
    return {
        "patient-view": patient_view(patient, fhir),
        "order-sign": order_sign(patient, fhir, ketamine_order(patient)),
        "order-select": order_select(patient, fhir, tms_order(patient)),
        "encounter-start": encounter_start(patient, fhir, f"{patient}-visit-1"),
    }


@pytest.mark.parametrize("hook", ["patient-view", "order-sign", "order-select", "encounter-start"])
@pytest.mark.parametrize("patient", NAMES)
def test_the_cards_do_not_depend_on_the_channel(
    patient: str, hook: str, fhir: str, service: TestClient, offered: dict[str, dict[str, Any]]
) -> None:
    offer = offered[hook]
    request = requests(patient, fhir)[hook]
    whole = prefetched(fhir, offer["prefetch"], patient, WITH_MEDICATIONS)
    keys = list(whole)
    halves = ({key: whole[key] for key in keys[::2]}, {key: whole[key] for key in keys[1::2]})
    without_server = {key: value for key, value in request.items() if key != "fhirServer"}

    from_server = answered(service, offer, request)
    assert answered(service, offer, {**without_server, "prefetch": whole}) == from_server
    for half in halves:
        assert answered(service, offer, {**request, "prefetch": half}) == from_server


def test_without_the_medications_that_orders_refer_to_the_card_says_what_the_dose_was_read_from(
    fhir: str, offered: dict[str, dict[str, Any]]
) -> None:
    offer, request = offered["patient-view"], patient_view("trauma", fhir)
    settings = Settings(deadline_seconds=30, detail="full")
    with TestClient(create_app(settings, shipped(), today=lambda: ANCHOR)) as in_full:
        whole, *others = answered(in_full, offer, request)
        request["prefetch"] = prefetched(fhir, offer["prefetch"], "trauma", "_count=200")
        del request["fhirServer"]
        less, *same = answered(in_full, offer, request)
    assert same == others
    remark = "; strength read from the name in the text"
    assert remark in less["detail"]
    assert remark not in whole["detail"]
    assert {**less, "detail": less["detail"].replace(remark, "")} == whole


def test_a_prefetch_that_stops_after_its_first_page_is_completed(
    fhir: str, service: TestClient, offered: dict[str, dict[str, Any]]
) -> None:
    offer, patient = offered["order-sign"], "partial-response-to-tms"
    request = requests(patient, fhir)["order-sign"]
    first_pages = prefetched(fhir, offer["prefetch"], patient, "_count=10")
    assert any(link["relation"] == "next" for found in first_pages.values() for link in found.get("link", ())), (
        "something must be missing from the prefetch"
    )
    assert answered(service, offer, {**request, "prefetch": first_pages}) == answered(service, offer, request)


def test_the_chart_is_answered_as_the_story_says(
    fhir: str, service: TestClient, offered: dict[str, dict[str, Any]], patients: dict[str, DemoPatient]
) -> None:
    cards = {name: answered(service, offered["patient-view"], patient_view(name, fhir)) for name in patients}
    criteria = {name: any("| Criterion |" in card.get("detail", "") for card in told) for name, told in cards.items()}
    assert criteria.pop("acute-crisis") is False, "the safety card stands alone and gives the criteria in its own words"
    assert criteria == {name: patient.expect.speaks for name, patient in patients.items() if name in criteria}
    assert [name for name, told in cards.items() if not told] == ["nearly-empty", "doing-well"]
    assert [name for name, told in cards.items() if told[:1] and told[0]["indicator"] == "critical"] == ["acute-crisis"]


def test_a_contraindicated_order_is_met_with_a_critical_card_and_another_patients_is_not(
    fhir: str, service: TestClient, offered: dict[str, dict[str, Any]]
) -> None:
    def indicators(patient: str) -> list[str]:
        cards = answered(service, offered["order-sign"], order_sign(patient, fhir, ketamine_order(patient)))
        return [card["indicator"] for card in cards]

    for patient in ("uncontrolled-hypertension", "alcohol-use", "past-psychosis"):
        assert "critical" in indicators(patient), patient
    for patient in ("two-failures", "cochlear-implant"):
        assert "critical" not in indicators(patient), patient


def test_the_requests_are_what_cds_hooks_asks_for(fhir: str) -> None:
    for hook, request in requests("trauma", fhir).items():
        assert request["hook"] == hook
        assert request["context"]["patientId"] == "trauma"
        assert json.loads(json.dumps(request)) == request
