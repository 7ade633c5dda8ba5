"""``tandem demo`` as a user runs it: what it prints works by copy and paste, and nothing of it is left behind."""

import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from cds_hooks.demo.calls import curl, patient_view
from tests.support.trust.canary import canary, was_reached

pytestmark = pytest.mark.server

START_SECONDS = 120
COMMAND = (sys.executable, "-m", "cds_hooks.cli.main", "demo", "--no-browser")


@contextmanager
def demo(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """``tandem demo`` in a process; killed on the way out if it still runs."""
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def greeting(process: subprocess.Popen[str]) -> list[str]:
    """The lines up to the one that says what to do next."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith("Next"):
            return lines
    assert process.stderr is not None
    raise AssertionError(process.stderr.read())


def addresses(lines: list[str]) -> tuple[str, str]:
    """Where the service and the FHIR server are, as the first two lines say."""
    service, fhir = (re.search(r"http://127\.0\.0\.1:\d+/[a-z-]+", line) for line in lines[:2])
    assert service
    assert fhir
    return service[0], fhir[0]


def refused(address: str) -> bool:
    try:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=5)
        connection.connect()
    except ConnectionRefusedError:
        return True
    connection.close()
    return False


def ended(process: subprocess.Popen[str], number: int) -> tuple[int, str]:
    """The exit code after a signal, and what stood on stderr."""
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    return process.returncode, errors


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    with demo("--port", "0", "--fhir-port", "0") as process:
        yield process, greeting(process)


def test_the_three_calls_work_by_copy_and_paste(running: tuple[subprocess.Popen[str], list[str]]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    calls = [line for line in running[1] if line.startswith("curl ")]
    answers = [json.loads(subprocess.run(["sh", "-c", call], capture_output=True, check=True).stdout) for call in calls]
    discovery, view, sign = answers
    assert {service["hook"] for service in discovery["services"]} >= {"patient-view", "order-sign", "order-select"}
    assert len(view["cards"]) >= 1
    assert sign["cards"][0]["indicator"] == "critical"


def test_every_patient_is_named_with_what_the_story_is(running: tuple[subprocess.Popen[str], list[str]]) -> None:
    text = "\n".join(running[1])
    assert "cochlear-implant" in text
    assert "Doing well, nothing needed" in text


def test_the_app_opens_in_the_chart_of_the_patient(running: tuple[subprocess.Popen[str], list[str]]) -> None:
    (launch,) = (line.rpartition(" ")[2] for line in running[1] if line.startswith("Open the app"))
    with httpx2.Client(follow_redirects=True, timeout=30) as visitor:
        page = visitor.get(launch)
        assert page.status_code == 200
        assert "two-failures" in page.text
        ehr = urlsplit(str(page.history[1].url))
        elsewhere = f"{ehr.scheme}://{ehr.netloc}/authorize?client_id=tandem&redirect_uri=https://evil.example/"
        assert visitor.get(elsewhere).status_code == 400
        assert visitor.get(f"{ehr.scheme}://{ehr.netloc}/fhir/Patient/two-failures").status_code == 401


def test_a_web_page_may_call_it_and_gets_at_no_other_server(running: tuple[subprocess.Popen[str], list[str]]) -> None:
    service, fhir = addresses(running[1])
    call = f"{service}/combination-therapy-patient-view"
    page = {"Origin": "https://sandbox.example", "Sec-Fetch-Site": "cross-site"}
    with canary() as (other, listener), httpx2.Client(headers=page, timeout=30) as browser:
        statuses = {}
        for server in (fhir, other):
            answer = browser.post(call, json=patient_view("two-failures", server))
            assert answer.headers["access-control-allow-origin"] == "*"
            statuses[server] = answer.status_code
        assert statuses == {fhir: 200, other: 412}
        assert not was_reached(listener)
        assert browser.get(service, headers={"Host": "evil.example"}).status_code == 421
        assert browser.post(f"{service.removesuffix('/cds-services')}/sandbox").status_code == 403


@pytest.mark.parametrize("option", ["--port", "--fhir-port"])
def test_a_port_that_is_taken_is_one_line(option: str, running: tuple[subprocess.Popen[str], list[str]]) -> None:
    service, fhir = addresses(running[1])
    port = urlsplit(service if option == "--port" else fhir).port
    with demo("--port", "0", "--fhir-port", "0", option, str(port)) as second:
        output, errors = second.communicate(timeout=START_SECONDS)
    assert second.returncode == 2
    assert output == ""
    assert errors.count("\n") == 1
    assert errors.startswith("tandem: ")
    assert errors.endswith(f"choose another with {option}\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_without_an_error(number: int) -> None:
    with demo("--port", "0", "--fhir-port", "0") as process:
        found = addresses(greeting(process))
        assert not any(map(refused, found))
        code, errors = ended(process, number)
    assert (code, errors) == (0, "Stopped.\n")
    assert all(map(refused, found))


def test_a_signal_during_the_start_ends_everything_too() -> None:
    """The FHIR server listens long before it can answer; the demo is told to stop as soon as it does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with demo("--port", "0", "--fhir-port", str(port)) as process:
        while refused(address):
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.02)
        code, errors = ended(process, signal.SIGINT)
    assert (code, errors) == (0, "Stopped.\n")
    assert refused(address)


def test_a_call_with_an_apostrophe_stays_one_argument() -> None:
    body: dict[str, Any] = {"text": "St. John's wort; $(rm) `x` \\ \" é"}
    line = curl("http://127.0.0.1:1/x", body).replace("curl -s", "printf '%s\\n'", 1)
    shown = subprocess.run(["sh", "-c", line], capture_output=True, check=True, text=True).stdout.splitlines()
    assert json.loads(shown[-1]) == body
