"""Two workers behind one socket are one service: one token, one set of metrics, and no gap when one of them dies."""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.support.hooks.calls import KETAMINE, ORDER_SIGN, body, order
from tests.support.trust.signing import BASE, ISSUER, bearer, claims, header, key_set, recorded, signed
from tests.support.workers.served import SECONDS, Service, gone, served

PATIENT = "uncontrolled-hypertension"
KEY = "the key of the hashes: neither an argument nor in the environment"
AT_ONCE = 12


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of two workers that wants tokens."""
    settings = (
        f'workers = 2\ndatabase_key = "{KEY}"\nreplay_store = "{recorded()}"\n[[clients]]\nname = "general"\n'
        f'issuer = "{ISSUER}"\nkey_set = "{key_set("ec-1")}"\naudience_base = "{BASE}"\nmode = "live"\n'
    )
    with served(tmp_path_factory.mktemp("workers"), settings) as running:
        yield running


def called(service: Service, token: str) -> int:
    """The status of a call with that token, over a connection of its own."""
    connection = service.connected()
    request = json.dumps(body(ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT)))
    try:
        connection.request("POST", ORDER_SIGN, request, {"Content-Type": "application/json", **bearer(token)})
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    return answer.status


def until(holds: Callable[[], bool]) -> None:
    """Ask again until it holds."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if holds():
            return
    raise AssertionError("it never came to that")


def all_up(service: Service) -> bool:
    return service.measured("tandem_worker_up") == {"0": 1, "1": 1}


def test_one_token_is_accepted_once_whichever_worker_is_asked(service: Service) -> None:
    def answered() -> dict[str, float]:
        return service.measured("tandem_requests_total", status="401")

    def ask() -> bool:
        token = signed(header(), claims())
        with ThreadPoolExecutor(AT_ONCE) as clients:
            statuses = Counter(clients.map(lambda _: called(service, token), range(AT_ONCE)))
        assert statuses == {200: 1, 401: AT_ONCE - 1}
        return len(answered()) == 2

    until(ask)


def test_a_scrape_of_one_worker_shows_what_all_have_counted(service: Service) -> None:
    until(lambda: all_up(service))

    def counted() -> float:
        return sum(service.measured("tandem_calls_total", service="combination-therapy-order-sign").values())

    before = counted()
    assert [called(service, signed(header(), claims())) for _ in range(6)] == [200] * 6
    assert {counted() for _ in range(6)} == {before + 6}


def test_neither_arguments_nor_environment_of_a_process_hold_a_setting(service: Service) -> None:
    assert len(service.workers()) == 2
    for process in (service.process.pid, *service.workers()):
        for file in ("cmdline", "environ"):
            content = Path(f"/proc/{process}/{file}").read_bytes()
            assert content
            assert KEY.encode() not in content
            assert ISSUER.encode() not in content


def test_a_worker_that_does_not_answer_is_named_and_does_not_hold_a_scrape_up(service: Service) -> None:
    until(lambda: all_up(service))
    stopped, _ = service.workers()
    os.kill(stopped, signal.SIGSTOP)
    try:
        told = queue.SimpleQueue[dict[str, float]]()
        # One of two connections may be handed to the worker that hangs.
        asking = [threading.Thread(target=lambda: told.put(service.measured("tandem_worker_up"))) for _ in range(2)]
        for each in asking:
            each.start()
        assert sorted(told.get(timeout=SECONDS).values()) == [0, 1]
    finally:
        os.kill(stopped, signal.SIGCONT)
    for each in asking:
        each.join(SECONDS)


def test_connections_are_shared_out(service: Service) -> None:
    until(lambda: all_up(service))

    def answered() -> dict[str, float]:
        return service.measured("tandem_requests_total", operation="health")

    before = answered()
    with ExitStack() as stack:
        for _ in range(AT_ONCE):
            connection = stack.enter_context(closing(service.connected()))
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        after = answered()
    assert min(after[worker] - before.get(worker, 0) for worker in "01") >= AT_ONCE / 3


def test_a_worker_that_is_killed_is_replaced_and_the_other_answers_meanwhile(service: Service) -> None:
    until(lambda: all_up(service))
    before = len(service.log.read_text())
    killed, other = service.workers()
    os.kill(killed, signal.SIGKILL)
    assert gone(killed)
    assert called(service, signed(header(), claims())) == 200
    # The worker tells its metrics a moment before its parent knows that it answers.
    until(lambda: all_up(service) and "a worker was replaced" in service.log.read_text()[before:])
    assert other in service.workers()
    assert killed not in service.workers()
    said = [json.loads(line) for line in service.log.read_text()[before:].splitlines()]
    (died,) = [line for line in said if line["event"] == "a worker has died"]
    assert (died["level"], died["reason"]) == ("error", "sigkill")
    assert [line["worker"] for line in said if line["event"] == "a worker was replaced"] == [died["worker"]]


def test_whoever_connects_while_all_are_being_replaced_waits(service: Service) -> None:
    until(lambda: all_up(service))
    killed = service.workers()
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    assert all(gone(worker) for worker in killed)
    assert called(service, signed(header(), claims())) == 200
    until(lambda: all_up(service))
