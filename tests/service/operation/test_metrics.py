"""Metrics tell what runs, what reading costs and whose tokens are refused; every label is from a closed set."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.clients.tokens import RefusalReason
from cds_hooks.operation.metrics import query_outcome
from cds_hooks.settings.settings import Settings
from tests.support.hooks.calls import DAY, ORDER_SIGN, PATIENT_VIEW, body, knowledge
from tests.support.trust.canary import canary
from tests.support.trust.signing import BASE, bearer, claims, client, header, service, signed

PATIENT = "two-failures"
OUTCOMES = {
    "ok", "unreadable", "denied", "token", "3xx", "4xx", "5xx", "timeout", "unreachable", "resting", "not-offered",
    "other",
}  # fmt: skip


def value(running: TestClient, sample: str) -> float:
    """The value of one sample; 0 where there is none."""
    found = re.search(rf"^{re.escape(sample)} (\S+)$", running.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_the_process_and_what_runs_in_it_are_told() -> None:
    running = TestClient(create_app(Settings(), knowledge(), lambda: DAY))
    assert value(running, "process_resident_memory_bytes") > 1_000_000
    assert value(running, "process_cpu_seconds_total") > 0
    assert value(running, "process_open_fds") > 0
    build = f'tandem_build_info{{knowledge="{knowledge().digest[:12]}",version="{version("tandem-cds")}"}}'
    assert value(running, build) == 1


def test_queries_are_counted_by_profile_and_outcome_also_where_the_call_fails() -> None:
    with canary() as (server, _):
        guarded = service(client("a", "ec-1", fhir_servers=(server,), profile="epic"), deadline_seconds=0.2)
        token = signed(header(kid="ec-1"), claims(iss="https://a.example", aud=BASE + PATIENT_VIEW))
        request = body(PATIENT_VIEW, PATIENT, fhirServer=server, prefetch={})
        assert guarded.post(PATIENT_VIEW, json=request, headers=bearer(token)).status_code == 412
        counted = guarded.get("/metrics").text
    asked = re.findall(
        r'^tandem_fhir_queries_total\{outcome="([a-z0-9-]+)",profile="epic"\} (\S+)$', counted, re.MULTILINE
    )
    assert asked
    assert {outcome for outcome, _ in asked} <= OUTCOMES
    number = sum(float(count) for _, count in asked)
    assert f'tandem_fhir_query_seconds_count{{profile="epic"}} {number}' in counted
    assert number > 5


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("200", "ok"),
        ("200, 3 pages", "ok"),
        ("200 unreadable", "unreadable"),
        ("401", "denied"),
        ("403", "denied"),
        ("302", "3xx"),
        ("404", "4xx"),
        ("429, 2 pages", "4xx"),
        ("503", "5xx"),
        ("timeout", "timeout"),
        ("timeout, 2 pages", "timeout"),
        ("connection failed", "unreachable"),
        ("not asked, the server has been silent", "resting"),
        ("not asked, this kind of server has none", "not-offered"),
        ("outside the scope of the access token", "token"),
        ("next link refused", "other"),
        ("777", "other"),
        ("anything else 4711", "other"),
    ],
)
def test_an_outcome_is_one_of_a_closed_set(said: str, outcome: str) -> None:
    assert query_outcome(said) == outcome
    assert outcome in OUTCOMES


def test_tokens_that_are_refused_are_counted_by_client_and_reason() -> None:
    guarded = service(client("a", "ec-1"))
    assert guarded.post(ORDER_SIGN, json={}).status_code == 401
    for claim in ({"exp": 1, "iat": 0}, {"aud": "https://canary-4711.example"}, {"iss": "https://canary-4711.example"}):
        token = signed(header(kid="ec-1"), claims(**{"iss": "https://a.example", "aud": BASE + ORDER_SIGN, **claim}))
        assert guarded.post(ORDER_SIGN, json={}, headers=bearer(token)).status_code == 401
    counted = guarded.get("/metrics").text
    assert "4711" not in counted
    refused = re.findall(
        r'^tandem_tokens_refused_total\{client="([a-z]*)",reason="([a-z-]+)"\} 1\.0$', counted, re.MULTILINE
    )
    assert sorted(refused) == [("", "issuer"), ("", "no-token"), ("a", "audience"), ("a", "expired")]
    assert {reason for _, reason in refused} <= {reason.value for reason in RefusalReason}
