"""32 patients of 3 clients at once: in 100,000 calls, every answer is that of its own patient and its own client."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from bench.overload import PATH
from bench.requests import build
from tests.support.trust.hosts import Host, with_clients
from tests.support.trust.signing import BASE, claims, signed

CALLS, PATIENTS, AT_ONCE = 100_000, 32, 24
RESOURCES = 20
CLIENTS = {"live": "", "doubtful": 'null_means = "unknown"', "silent": ""}
"""By name, what sets each apart; the last is shown no cards."""
_IDENTIFIER = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def bodies() -> list[bytes]:
    """A call about each patient, who has drugs, scores and a name of their own; one input is ``null``."""
    found = []
    for number in range(PATIENTS):
        body = json.loads(build(RESOURCES, number, own_sigs=True).replace(b"bench-1", b"bench-%d" % number))
        body["prefetch"]["allergies"] = None
        found.append(json.dumps(body).encode())
    return found


class Caller:
    """One connection, on which calls follow each other."""

    def __init__(self, host: Host) -> None:
        self._connection = http.client.HTTPConnection(host.address, timeout=60)

    def answer(self, client: str, body: bytes) -> bytes:
        """The answer, without the identifiers of its cards; a call that is turned away is made again."""
        while True:
            token = signed(payload=claims(iss=f"https://{client}.example", aud=BASE + PATH))
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
            self._connection.request("POST", PATH, body, headers)
            answer = self._connection.getresponse()
            content = answer.read()
            if answer.status != http.client.SERVICE_UNAVAILABLE:
                assert answer.status == http.client.OK, content
                return _IDENTIFIER.sub(b"", content)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder: Path = tmp_path_factory.mktemp("mixups")
    with with_clients(folder, CLIENTS, silent=("silent",)) as running:
        yield running


def test_no_answer_is_of_another_patient_or_client(host: Host) -> None:
    sent = bodies()
    kinds = list(itertools.product(CLIENTS, range(PATIENTS)))
    with closing(Caller(host)) as first:
        right = {(client, patient): first.answer(client, sent[patient]) for client, patient in kinds}
    told = Counter(right.values())
    assert len(told) == 2 * PATIENTS + 1, "each live answer is different from all others; the silent ones are empty"

    dice = random.Random(7)  # noqa: S311 - no secret
    order = iter([dice.choice(kinds) for _ in range(CALLS)])
    lock, wrong, answered = threading.Lock(), list[tuple[str, int]](), Counter[tuple[str, int]]()

    def work() -> None:
        with closing(Caller(host)) as caller:
            while True:
                with lock:
                    kind = next(order, None)
                if kind is None:
                    return
                found = caller.answer(kind[0], sent[kind[1]])
                with lock:
                    answered[kind] += 1
                    if found != right[kind]:
                        wrong.append(kind)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(work) for _ in range(AT_ONCE)]:
            done.result()
    assert wrong == []
    assert answered.total() == CALLS
    assert answered.keys() == set(kinds)
