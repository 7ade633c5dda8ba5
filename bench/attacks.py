"""What small bodies cost that are made to cost much: seconds of CPU of one call each, and the most memory.

The service runs as it is delivered, in a process of its own. With ``probes``, ``/healthz`` is asked meanwhile.
"""

from __future__ import annotations

import http.client
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.peers.servers import Peer, running
from bench.requests import build
from tests.support.growth.lists import LongList, body_of, request_with

APP = Peer("Tandem", "bench.peers.tandem_app:app")
_SERVICE = "/cds-services/combination-therapy-order-sign"
_TICKS = os.sysconf("SC_CLK_TCK")
_PATIENCE = 120
_PAUSE = 0.01
_LARGE = 2500
"""Resources of 1.6 kB each: 4 MB, near the largest body that is read."""
_DRAFTS = 2
"""In every request."""


def bodies() -> Iterator[tuple[str, bytes]]:
    """Each body with what it is."""
    for count in (250, 500, 1000, 5000):
        yield f"{count:,} ketamine drafts", _long("drafts", "ketamine", count - _DRAFTS, "alike")
    yield "5,000 totals of one day, times of their own", _long("observations", "madrs", 5000, "times")
    yield "5,000 totals of one day, date only", _long("observations", "madrs", 5000, "alike")
    yield "3,000 totals derived from one questionnaire", _long("observations", "phq9", 3000, "alike")
    yield "9,000 PHQ-9 items with times of their own", _long("observations", "item", 9000, "times")
    yield "12,000 PHQ-9 items with times of their own", _long("observations", "item", 12000, "times")
    yield "9,000 ketamine administrations", _long("medicationAdministrations", "dose", 9000, "times")
    instructions = LongList("medicationRequests", "bupropion", ("dosageInstruction",), "alike")
    yield "40,000 dosage instructions of one order", body_of(request_with(instructions, 40_000))
    yield "one page of 2.4 million numbers", _entries(b"1", 2_400_000)
    yield "900,000 times null", _entries(b"null", 900_000)
    yield "1,000,000 times {}", _entries(b"{}", 1_000_000)
    yield f"an ordinary record of {_LARGE} resources", build(_LARGE)


def _long(place: str, resource: str, length: int, manner: str) -> bytes:
    return body_of(request_with(LongList(place, resource, (), manner), length))


def _entries(entry: bytes, count: int) -> bytes:
    request = request_with(LongList("observations", "madrs", (), "alike"), 0)
    request["prefetch"]["observations"] = "HERE"
    many = b'{"resourceType":"Bundle","entry":[' + b",".join([entry] * count) + b"]}"
    return body_of(request).replace(b'"HERE"', many)


def main() -> None:
    """Print one table, of the bodies whose names contain one of the other words on the command line."""
    chosen = [word for word in sys.argv[1:] if word != "probes"]
    probing = "probes" in sys.argv[1:]
    print("| body | MB | status | CPU s | most memory, MB | /healthz meanwhile: median, worst, ms |")
    print("|---|---|---|---|---|---|")
    for name, body in bodies():
        if chosen and not any(word in name for word in chosen):
            continue
        with running(APP) as port:
            _post(port, build(10))
            print(f"| {name} | {len(body) / 1e6:.2f} | {_measured(port, body, probing=probing)} |", flush=True)


def _measured(port: int, body: bytes, *, probing: bool) -> str:
    process = _process_on(port)
    waits: list[float] = []
    done = threading.Event()
    prober = threading.Thread(target=_probe, args=(port, done, waits))
    if probing:
        prober.start()
    before = _cpu(process)
    status = _post(port, body)
    spent = _cpu(process) - before
    done.set()
    if probing:
        prober.join()
    told = f"{statistics.median(waits):.0f}, {max(waits):.0f}" if waits else ""
    return f"{status} | {spent:.2f} | {_most_memory(process)} | {told}"


def _probe(port: int, done: threading.Event, waits: list[float]) -> None:
    while not done.is_set():
        begin = time.perf_counter()
        _asked(port, lambda connection: connection.request("GET", "/healthz"))
        waits.append((time.perf_counter() - begin) * 1000)
        time.sleep(_PAUSE)


def _post(port: int, body: bytes) -> str:
    headers = {"Content-Type": "application/json"}
    return _asked(port, lambda connection: connection.request("POST", _SERVICE, body, headers))


def _asked(port: int, ask: Callable[[http.client.HTTPConnection], None]) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        ask(connection)
        response = connection.getresponse()
        response.read()
    except TimeoutError:
        return f"none in {_PATIENCE} s"
    finally:
        connection.close()
    return str(response.status)


def _process_on(port: int) -> Path:
    """The process that was started to listen there, among the children of this one."""
    (children,) = Path("/proc/self/task").glob(f"{os.getpid()}/children")
    for child in children.read_text().split():
        if f"--port\0{port}\0" in Path(f"/proc/{child}/cmdline").read_text():
            return Path(f"/proc/{child}")
    raise RuntimeError("the service is not running")


def _cpu(process: Path) -> float:
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _most_memory(process: Path) -> int:
    lines = (process / "status").read_text().splitlines()
    (peak,) = (line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) // 1000


if __name__ == "__main__":
    main()
