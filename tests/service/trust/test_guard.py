"""Web pages: none of another site, and none under a borrowed name, gets anything from an open service."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from cds_hooks.smart.frame import PageFrame
from cds_hooks.smart.openings import AppSessions
from cds_hooks.web.pages import Pages
from fhir_plugin.reading.client import FhirServers
from tests.support.hooks.calls import DAY, ORDER_SIGN, PATIENT_VIEW, body, knowledge
from tests.support.trust.canary import canary, was_reached
from tests.support.trust.signing import clients, service

PUBLIC = "https://tandem.example"
EVIL = "https://evil.example"
EXTRACT = "/fhir/QuestionnaireResponse/$extract"
POSTS = (ORDER_SIGN, f"{ORDER_SIGN}/feedback", EXTRACT, "/sandbox", "/sandbox/course.svg", "/sandbox/replay.json")


@cache
def open_service(*origins: str, host: str = "127.0.0.1") -> TestClient:
    """An open service with its sandbox, asked at loopback; pages of these origins may call it."""
    settings = Settings(
        host=host, public_url=PUBLIC, sandbox=True, allowed_origins=origins, database=SecretStr("off"), allow_open=True
    )
    return TestClient(create_app(settings, knowledge(), today=lambda: DAY), base_url="http://127.0.0.1:8000")


# Host


@pytest.mark.parametrize("host", [
    "evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "a.localhost", "",
    "localhost..", ".",
    "tandem.example.evil.example", "evil.example#127.0.0.1", "evil.example@127.0.0.1", "127.0.0.1@evil.example",
    "127.0.0.1:x", "127.0.0.1, evil.example", "10.0.0.7", "169.254.169.254", "0.0.0.0:8000", "[::ffff:10.0.0.7]",
    "[::1",
])  # fmt: skip
@pytest.mark.parametrize(("method", "url"), [("GET", "/sandbox"), ("GET", "/nowhere"), ("POST", ORDER_SIGN)])
def test_who_is_called_by_a_name_that_is_not_its_own_does_not_answer(host: str, method: str, url: str) -> None:
    answer = open_service().request(method, url, headers={"Host": host, "Origin": f"http://{host}"})
    assert answer.status_code == 421
    assert "public_url" in answer.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize("host", [
    "127.0.0.1", "127.0.0.1:9999", "localhost", "LOCALHOST:8000", "[::1]:8000", "127.8.8.8", "tandem.example",
    "10.1.2.3", "localhost.", "localhost.:8000", "tandem.example.",
])  # fmt: skip
def test_its_own_names_are_loopback_the_bound_address_and_the_public_one(host: str) -> None:
    assert open_service(host="10.1.2.3").get("/cds-services", headers={"Host": host}).status_code == 200


def test_a_service_on_every_address_answers_at_the_one_that_was_connected_to() -> None:
    everywhere = TestClient(open_service(host="0.0.0.0").app, base_url="http://172.17.0.2:8000")  # noqa: S104
    assert everywhere.get("/cds-services").status_code == 200
    assert everywhere.get("/cds-services", headers={"Host": "172.17.0.3:8000"}).status_code == 421


def test_two_hosts_are_none() -> None:
    headers = [("Host", "127.0.0.1"), ("Host", "evil.example")]
    assert open_service().get("/cds-services", headers=headers).status_code == 421


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(("headers", "status", "said"), [
    ({"Host": "evil.example"}, 421, "public_url"),
    ({"Origin": EVIL, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 403, "allowed_origins"),
], ids=["host", "origin"])  # fmt: skip
def test_a_browser_that_is_refused_is_shown_why(headers: dict[str, str], status: int, said: str) -> None:
    page = open_service().get("/sandbox?q=evil.example", headers={**headers, **BROWSER})
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.text.count("<h1>") == 1
    assert said in page.text
    assert "evil" not in page.text
    for accept in ("*/*", "application/json"):
        answer = open_service().get("/sandbox", headers={**headers, "Accept": accept})
        assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")
    posted = open_service().post("/sandbox", headers={**headers, **BROWSER})
    assert (posted.status_code, posted.json()["resourceType"]) == (status, "OperationOutcome")


@pytest.mark.parametrize("url", ["/healthz", "/readyz", "/metrics"])
def test_monitoring_asks_under_any_name(url: str) -> None:
    assert open_service().get(url, headers={"Host": "tandem:8000", "Origin": EVIL}).status_code == 200


def test_with_clients_a_token_says_more_than_a_host() -> None:
    assert service(*clients()).get("/cds-services", headers={"Host": "anything.example"}).status_code == 200


# Origin

FOREIGN: tuple[dict[str, str], ...] = (
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:3000"},
    {"Origin": "http://localhost:8000"},
    {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
)


@pytest.mark.parametrize("url", POSTS)
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_page_of_another_origin_may_post_nothing(headers: dict[str, str], url: str) -> None:
    answer = open_service().post(url, headers=headers)
    assert answer.status_code == 403
    assert "allowed_origins" in answer.json()["issue"][0]["diagnostics"]
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_of_another_origin_has_no_server_on_this_machine_read() -> None:
    with canary() as (fhir, listener):
        request = body(PATIENT_VIEW, "doing-well", prefetch={}, fhirServer=fhir)
        assert open_service().post(PATIENT_VIEW, json=request, headers={"Origin": EVIL}).status_code == 403
        preflight = {"Origin": EVIL, "Access-Control-Request-Method": "POST"}
        assert open_service().options(PATIENT_VIEW, headers=preflight).status_code == 403
        assert not was_reached(listener)


@pytest.mark.parametrize("headers", [
    {}, {"Origin": "http://127.0.0.1:8000"}, {"Origin": PUBLIC}, {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    {"Sec-Fetch-Site": "none"},
], ids=str)  # fmt: skip
def test_its_own_pages_and_programs_may(headers: dict[str, str]) -> None:
    assert open_service().post(ORDER_SIGN, content=b"{}", headers=headers).status_code == 400
    assert open_service().post("/sandbox", data={"hook": "x"}, headers=headers).status_code == 400


def test_a_link_from_anywhere_may_be_followed() -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert open_service().get("/sandbox", headers=headers).status_code == 200


def test_no_page_may_read_an_answer_unless_its_origin_is_listed() -> None:
    listed = open_service("https://ehr.example")
    good = listed.post(ORDER_SIGN, content=b"{}", headers={"Origin": "https://ehr.example"})
    assert (good.status_code, good.headers["access-control-allow-origin"]) == (400, "https://ehr.example")
    for origin in (EVIL, "https://ehr.example.evil.example", "http://ehr.example"):
        assert listed.post(ORDER_SIGN, content=b"{}", headers={"Origin": origin}).status_code == 403
    headers = {"Origin": "https://ehr.example", "Sec-Fetch-Site": "cross-site"}
    assert listed.post("/sandbox", data={}, headers=headers).status_code == 403, "the sandbox is nobody else's"


# The app


def form_of(headers: dict[str, str]) -> dict[str, str] | None:
    """The fields of a form of the app with the right token, sent with these headers."""
    frame = PageFrame(knowledge(), (), FhirServers(), Pages(), AppSessions(lambda: 0.0), PUBLIC)
    given = [(name.lower().encode(), value.encode()) for name, value in ({"Host": "127.0.0.1:8000"} | headers).items()]
    scope = {"type": "http", "method": "POST", "path": "/", "scheme": "http", "headers": given, "query_string": b""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": urlencode({"token": "right"}).encode(), "more_body": False}

    session: Any = SimpleNamespace(form_token="right")
    return asyncio.run(frame.form(Request(scope, receive), session))


def test_a_form_of_the_app_needs_more_than_its_token() -> None:
    """Also where there are clients, where nothing else looks at the origin."""
    ours: tuple[dict[str, str], ...] = ({}, {"Origin": PUBLIC}, {"Sec-Fetch-Site": "same-origin", "Origin": "null"})
    assert [form_of(headers) for headers in ours] == [{"token": "right"}] * 3
    assert [form_of(headers) for headers in FOREIGN] == [None] * len(FOREIGN)


# The sandbox


@pytest.mark.parametrize("field", ["server", "request"])
def test_the_sandbox_reads_no_server_on_this_machine_where_that_is_not_allowed(field: str) -> None:
    settings = Settings(sandbox=True, allow_loopback_fhir=False, database=SecretStr("off"), deadline_seconds=0.2)
    closed = TestClient(create_app(settings, knowledge(), today=lambda: DAY))
    with canary() as (fhir, listener):
        for server in (fhir, fhir.replace("127.0.0.1", "localhost"), fhir.replace("127.0.0.1", "[::1]"), fhir + "/"):
            call = body(PATIENT_VIEW, "doing-well", prefetch={}, fhirServer=server)
            given = {"source": field, "server": server, "patient_id": "1", "with_server": "yes", "prefetching": "none",
                     "hook": "patient-view", "request": json.dumps(call)}  # fmt: skip
            assert closed.post("/sandbox", data=given).status_code in (200, 400)
        assert not was_reached(listener)


# WebSockets


@pytest.mark.parametrize("url", ["/", ORDER_SIGN, "/sandbox", "/healthz"])
def test_there_are_no_web_sockets(url: str) -> None:
    for asked in (open_service(), service(*clients())):
        with pytest.raises(WebSocketDisconnect), asked.websocket_connect(url):
            raise AssertionError("it was accepted")
        upgrade = {"Connection": "Upgrade", "Upgrade": "WebSocket", "Sec-WebSocket-Version": "13"}
        assert asked.get(url, headers=upgrade).status_code == 403
