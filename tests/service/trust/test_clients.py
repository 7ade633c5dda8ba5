"""What each client may: its services, its mode, its servers, its browsers; and what stays public."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from cds_hooks.telemetry import logs
from tests.support.hooks.calls import (
    KETAMINE,
    ORDER_SELECT,
    ORDER_SIGN,
    PATIENT_VIEW,
    body,
    order,
    patient_id,
    prefetch,
)
from tests.support.hooks.calls import client as open_service
from tests.support.trust.canary import canary, was_reached
from tests.support.trust.signing import BASE, bearer, claims, client, clients, header, service, signed

PATIENT = "uncontrolled-hypertension"
EXTRACT = "/fhir/QuestionnaireResponse/$extract"


def call(guarded: TestClient, issuer: str, url: str = ORDER_SIGN, **changes: Any) -> Any:
    """A whole call of one client, signed for its address."""
    token = signed(header(kid="ec-1"), claims(iss=issuer, aud=BASE + url))
    drafts = () if url == PATIENT_VIEW else (order(KETAMINE, PATIENT),)
    return guarded.post(url, json=body(url, PATIENT, *drafts, **changes), headers=bearer(token))


def of_mode(mode: str) -> TestClient:
    return service(client("general", "ec-1", issuer="https://a.example", mode=mode))


# Modes


def test_a_live_client_sees_the_cards() -> None:
    answer = call(of_mode("live"), "https://a.example")
    assert [card["indicator"] for card in answer.json()["cards"]] == ["critical"]


@pytest.mark.parametrize("url", [ORDER_SELECT, PATIENT_VIEW])
def test_nobody_sees_a_card_but_a_live_client(url: str) -> None:
    shown = [call(of_mode(mode), "https://a.example", url).json().get("cards") for mode in ("live", "silent", "off")]
    assert shown[0]
    assert shown[1:] == [[], None]


def test_a_silent_client_sees_no_card_and_everything_is_worked_out(capsys: pytest.CaptureFixture[str]) -> None:
    guarded = of_mode("silent")
    logs.configure("info", "json")
    answer = call(guarded, "https://a.example")
    assert (answer.status_code, answer.json()) == (200, {"cards": []})
    (line,) = [json.loads(each) for each in capsys.readouterr().err.splitlines()]
    assert (line["tenant"], line["mode"], line["cards"]) == ("general", "silent", 1)
    assert sum(line["verdicts"].values()) > 40
    assert patient_id(PATIENT) not in json.dumps(line)


def test_a_client_that_is_off_is_told_that_there_is_no_such_service() -> None:
    guarded = of_mode("off")
    answer = call(guarded, "https://a.example")
    assert answer.status_code == 404
    assert answer.content == open_service().post("/cds-services/nope", content=b"{}").content


def test_null_says_that_there_is_none_unless_the_client_means_less_by_it() -> None:
    said = {}
    for meaning in ("none", "unknown"):
        guarded = service(client("general", "ec-1", issuer="https://a.example", mode="live", null_means=meaning))
        answer = call(guarded, "https://a.example", prefetch={**prefetch(PATIENT), "procedures": None})
        said[meaning] = answer.json()["cards"][0]["detail"]
    assert "procedures: not retrieved" in said["unknown"]
    assert "procedures: not retrieved" not in said["none"]


# What is public, and what is not


def test_discovery_is_public_and_says_nothing_of_clients() -> None:
    guarded = service(*clients())
    given = guarded.get("/cds-services")
    assert given.content == open_service().get("/cds-services").content
    assert guarded.get("/cds-services", headers=bearer(signed())).content == given.content
    assert guarded.get("/cds-services", headers=bearer("nonsense")).status_code == 200
    for each in clients():
        for secret in (each.name, each.issuer, each.tenant, *each.fhir_servers):
            assert secret is None or f'"{secret}"' not in given.text


@pytest.mark.parametrize("url", ["/fhir/metadata", "/fhir/Questionnaire", "/healthz"])
def test_what_holds_no_patient_is_public(url: str) -> None:
    assert service(*clients()).get(url).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "QUERY", "BREW"])
@pytest.mark.parametrize("url", [ORDER_SIGN, f"{ORDER_SIGN}/feedback", EXTRACT, "/cds-services", "/nowhere", "/", "//"])
def test_everything_else_needs_a_token_whether_there_is_such_a_route_or_not(method: str, url: str) -> None:
    answer = service(*clients()).request(method, url, content=b"{}")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("url", [EXTRACT, f"{ORDER_SIGN}/feedback"])
def test_a_token_is_good_for_the_address_that_it_names(url: str) -> None:
    guarded = service(*clients())
    assert guarded.post(url, content=b"{}", headers=bearer(signed())).status_code == 401
    token = signed(payload=claims(aud=BASE + url))
    assert guarded.post(url, content=b"{}", headers=bearer(token)).status_code != 401


@pytest.mark.parametrize("authorization", ["null", "Basic dXNlcjpwYXNz", "bearer x", "Bearer", ""])
def test_an_open_service_does_not_mind_odd_tokens(authorization: str) -> None:
    answer = open_service().post(ORDER_SIGN, content=b"{}", headers={"Authorization": authorization})
    assert answer.status_code == 400


# FHIR servers


def test_the_server_of_another_client_is_not_read() -> None:
    with canary() as (server, listener):
        ours = client("a", "ec-1", fhir_servers=("https://a.example/fhir",))
        theirs = client("b", "ec-1", fhir_servers=(server,))
        guarded = service(ours, theirs, deadline_seconds=0.2)
        answer = call(guarded, ours.issuer, PATIENT_VIEW, fhirServer=server, prefetch={})
        assert answer.status_code == 412
        assert not was_reached(listener)
        call(guarded, theirs.issuer, PATIENT_VIEW, fhirServer=server, prefetch={})
        assert was_reached(listener), "its own client may have it read"


ALIKE = ("{url}", "{url}/", "{url}//", " {url} ", "HTTP://127.0.0.1:{port}/fhir")
DIFFERENT = (
    "http://127.0.0.1:{port}", "http://127.0.0.1:{port}/FHIR", "http://127.0.0.1:{port}/fhir/x", "{url}x", "{url}/.",
    "http://127.0.0.1:{port}/x/../fhir", "http://127.0.0.1:{port}/%66hir", "{url}?x", "{url}#x", "{url};x", "{url}%2f",
    "http://127.1:{port}/fhir", "http://localhost:{port}/fhir", "http://[::ffff:127.0.0.1]:{port}/fhir", "{url}\\",
    "http://u@127.0.0.1:{port}/fhir", "https://127.0.0.1:{port}/fhir", "//127.0.0.1:{port}/fhir",
)  # fmt: skip


def test_of_an_address_only_the_letters_of_its_host_and_slashes_at_its_end_do_not_matter() -> None:
    with canary() as (server, listener):
        port = server.split(":")[2].partition("/")[0]
        guarded = service(client("a", "ec-1", fhir_servers=(server,)), deadline_seconds=0.2)
        for written in (*DIFFERENT, *ALIKE):
            given = written.format(url=server, port=port)
            answer = call(guarded, "https://a.example", PATIENT_VIEW, fhirServer=given, prefetch={})
            assert answer.status_code in (400, 412), given
            assert was_reached(listener) == (written in ALIKE), given


def test_loopback_is_no_exception_where_there_are_clients() -> None:
    with canary() as (server, listener):
        guarded = service(client("a", "ec-1"), deadline_seconds=0.2)
        assert call(guarded, "https://a.example", PATIENT_VIEW, fhirServer=server, prefetch={}).status_code == 412
        assert not was_reached(listener)


# Browsers

ORIGIN = "https://app.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


def lonely_token(**changes: Any) -> dict[str, str]:
    return bearer(signed(header(kid="lonely"), claims(iss="https://lonely.example", **changes), "lonely"))


@pytest.mark.parametrize("url", ["/cds-services", ORDER_SIGN, f"{ORDER_SIGN}/feedback", EXTRACT])
def test_a_preflight_needs_no_token(url: str) -> None:
    answer = service(*clients()).options(url, headers={"Origin": ORIGIN} | PREFLIGHT)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in answer.headers
    assert {"authorization", "content-type"} <= set(answer.headers["access-control-allow-headers"].lower().split(", "))


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://app.example.evil.example", "null", "http://app.example"]
)
def test_other_origins_are_allowed_nothing(origin: str) -> None:
    guarded = service(*clients())
    assert (
        "access-control-allow-origin" not in guarded.options(ORDER_SIGN, headers={"Origin": origin} | PREFLIGHT).headers
    )
    answer = guarded.post(ORDER_SIGN, content=b"{}", headers=lonely_token() | {"Origin": origin})
    assert answer.status_code == 401
    assert "access-control-allow-origin" not in answer.headers


def test_an_origin_belongs_to_its_client() -> None:
    guarded = service(*clients())
    good = guarded.post(ORDER_SIGN, content=b"{}", headers=lonely_token() | {"Origin": ORIGIN})
    assert good.status_code == 400
    others = guarded.post(ORDER_SIGN, content=b"{}", headers=bearer(signed()) | {"Origin": ORIGIN})
    assert others.status_code == 401


@pytest.mark.parametrize(
    ("method", "url", "given", "status"),
    [
        ("GET", "/cds-services", {}, 200),
        ("GET", "/fhir/metadata", {}, 200),
        ("GET", "/nowhere", {}, 404),
        ("GET", ORDER_SIGN, {}, 405),
        ("POST", ORDER_SIGN, {"content": b"{}"}, 400),
        ("POST", ORDER_SIGN, {"content": b"x" * 5_000_001}, 413),
        ("POST", ORDER_SIGN, {"json": body(PATIENT_VIEW, PATIENT)}, 400),
        ("POST", ORDER_SIGN, {"json": body(ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))}, 200),
        ("POST", ORDER_SIGN, {"json": body(ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT), prefetch={})}, 412),
        ("POST", EXTRACT, {"content": b"{"}, 400),
    ],
)
def test_a_browser_may_read_every_answer(method: str, url: str, given: dict[str, Any], status: int) -> None:
    guarded = service(*clients())
    answer = guarded.request(method, url, headers=lonely_token(aud=BASE + url) | {"Origin": ORIGIN}, **given)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    if method == "POST":
        refused = guarded.request(method, url, headers={"Origin": ORIGIN}, **given)
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, ORIGIN)


def test_a_browser_may_read_that_the_service_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("cds_hooks.application.hook_routes.read_call", fail)
    guarded = TestClient(service(*clients()).app, raise_server_exceptions=False)
    answer = guarded.post(ORDER_SIGN, content=b"{}", headers=lonely_token() | {"Origin": ORIGIN})
    assert answer.status_code == 500
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.json()["resourceType"] == "OperationOutcome"
