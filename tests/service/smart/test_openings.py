"""What is open ends in time, is bounded, and belongs to who holds its secret; and a proxy's path stands before it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from cds_hooks.smart.openings import MOST_FORMS, AppSession, ExpiringStore
from tests.support.hooks.calls import DAY, knowledge
from tests.support.smart.ehr import Ehr, running_ehr


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_what_is_kept_is_over_in_time() -> None:
    clock = Clock()
    kept: ExpiringStore[str] = ExpiringStore(10, clock)
    name, secret = kept.put("a chart", 60)
    clock.seconds = 59.9
    assert kept.get(name, secret) == "a chart"
    clock.seconds = 60
    assert kept.get(name, secret) is None
    assert len(kept) == 0


def test_what_is_kept_needs_its_own_secret_and_is_taken_once() -> None:
    kept: ExpiringStore[str] = ExpiringStore(10, Clock())
    name, secret = kept.put("a chart", 60)
    other, another = kept.put("another", 60)
    for given in ("", another, secret[:-1], secret + "x", "\ud800"):
        assert kept.get(name, given) is None
        assert kept.take(name, given) is None
    assert kept.get(other, secret) is None
    assert kept.take(name, secret) == "a chart"
    assert kept.take(name, secret) is None


def test_the_oldest_gives_way() -> None:
    kept: ExpiringStore[int] = ExpiringStore(3, Clock())
    names = [kept.put(number, 60) for number in range(5)]
    assert [kept.get(*each) for each in names] == [None, None, 2, 3, 4]


def test_forms_that_were_given_out_are_bounded() -> None:
    session = AppSession(None, None, "p", "")  # type: ignore[arg-type]
    marks = [session.new_form_mark() for _ in range(MOST_FORMS + 5)]
    assert len(set(marks)) == len(marks)
    assert len(session._forms) == MOST_FORMS
    assert repr(session).find(session.form_token) == -1


@pytest.fixture
def behind_a_proxy() -> Iterator[tuple[TestClient, Ehr]]:
    """The app where browsers reach it over https, below a path that a proxy takes off."""
    with running_ehr("http://127.0.0.1:1/fhir") as ehr:
        entry = {"name": "test", "title": "Test EHR", "issuer": ehr.issuer, "client_id": "tandem"}
        settings = Settings(
            public_url="https://tandem.example/cds",
            smart=(entry,),  # type: ignore[arg-type]
            sandbox=True,
            database="off",  # type: ignore[arg-type]
        )
        with TestClient(create_app(settings, knowledge(), today=lambda: DAY), follow_redirects=False) as client:
            yield client, ehr


def test_the_path_of_a_proxy_stands_in_addresses_and_cookies(behind_a_proxy: tuple[TestClient, Ehr]) -> None:
    client, ehr = behind_a_proxy
    for page in ("/smart", "/sandbox"):
        found = re.findall(r'(?:href|src|action)="(/[^"]*)"', client.get(page).text)
        assert found
        assert [each for each in found if not each.startswith("/cds/")] == []
    answer = client.get("/smart/launch", params={"iss": ehr.issuer, "launch": "x"})
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked["redirect_uri"] == ["https://tandem.example/cds/smart/callback"]
    cookie = answer.headers["set-cookie"]
    assert "; Path=/cds/smart/callback; " in cookie
    assert {"HttpOnly", "Secure", "SameSite=None", "Partitioned"} <= set(cookie.split("; "))
