"""The log says what happened, and nothing of whom: what is not on the closed list is dropped."""

from __future__ import annotations

import http.client
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from cds_hooks.application import hook_routes
from cds_hooks.application.app import create_app
from cds_hooks.settings.settings import Settings
from cds_hooks.telemetry import logs
from tests.support.hooks.calls import DAY, KETAMINE, ORDER_SIGN, body, client, knowledge, order, patient_id
from tests.support.trust.files import file_with

SECRET = "Canary Person 4711"
PATIENT = "uncontrolled-hypertension"


def lines(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines()]


@pytest.fixture(autouse=True)
def _as_served() -> None:
    logs.configure("info", "json")


def test_a_call_is_one_line_with_what_an_operator_needs(capsys: pytest.CaptureFixture[str]) -> None:
    request = body(ORDER_SIGN, PATIENT, order(KETAMINE, PATIENT))
    answer = client().post(ORDER_SIGN, json=request)
    (line,) = lines(capsys.readouterr().err)
    assert (line["event"], line["level"], line["status"]) == ("request", "info", 200)
    assert line["service"] == "combination-therapy-order-sign"
    assert line["operation"] == "call"
    assert line["correlation"] == answer.headers["X-Correlation-Id"]
    assert line["knowledge"] == knowledge().digest[:12]
    assert line["cards"] == len(answer.json()["cards"])
    assert sum(line["verdicts"].values()) == len(knowledge().criteria)
    assert line["ms"] > 0
    assert patient_id(PATIENT) not in json.dumps(line)


def test_every_call_has_its_own_correlation_id_whatever_the_caller_sends(capsys: pytest.CaptureFixture[str]) -> None:
    sent = {"X-Correlation-Id": SECRET, "X-Request-Id": SECRET}
    first, second = (client().get("/cds-services", headers=sent) for _ in range(2))
    assert first.headers["X-Correlation-Id"] != second.headers["X-Correlation-Id"]
    assert SECRET not in capsys.readouterr().err


def test_a_path_that_is_no_route_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    client().get(f"/{SECRET}?{SECRET}")
    client().post(f"/cds-services/{SECRET}", content=SECRET)
    said = capsys.readouterr().err
    assert [line["status"] for line in lines(said)] == [404, 404]
    assert "Canary" not in said


@pytest.mark.parametrize(
    "fields",
    [
        {"patient": SECRET},
        {"status": SECRET},
        {"reason": SECRET},
        {"service": SECRET},
        {"verdicts": {SECRET: 1}},
        {"verdicts": {"met": SECRET}},
        {"correlation": SECRET},
        {"exc_info": ValueError(SECRET)},
        {"fault": SECRET},
        {"place": f"module:{SECRET}"},
        {"tenant": SECRET},
    ],
)
def test_a_field_off_the_list_or_out_of_shape_is_dropped(
    fields: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    logs.log.error("something happened", **fields)
    logs.log.error(f"somebody put {SECRET} into the event", count=1)
    said = capsys.readouterr().err
    assert "Canary" not in said
    assert [line["event"] for line in lines(said)] == ["something happened", "unnamed"]


def test_a_fault_is_told_by_type_and_place_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise KeyError(SECRET)

    monkeypatch.setattr(hook_routes, "read_call", fail)
    failing = TestClient(
        create_app(Settings(log_format="json"), knowledge(), lambda: DAY), raise_server_exceptions=False
    )
    answer = failing.post(ORDER_SIGN, json=body(ORDER_SIGN, PATIENT))
    said = capsys.readouterr().err
    assert answer.status_code == 500
    assert "Canary" not in said + answer.text
    call, fault = lines(said)
    assert (call["event"], call["level"], call["status"]) == ("request", "error", 500)
    assert (fault["event"], fault["fault"]) == ("fault", "KeyError")
    assert fault["place"].startswith("cds_hooks.application.hook_routes:")
    assert fault["correlation"] == answer.headers["X-Correlation-Id"]


def test_a_terminal_gets_words_under_the_same_rule(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "console")
    logs.log.warning("refused", reason="expired", token=SECRET)
    said = capsys.readouterr().err
    assert "refused" in said
    assert "reason=expired" in said
    assert "Canary" not in said


@pytest.mark.parametrize("how", ["full", "broken pipe", "closed"])
def test_a_log_that_cannot_be_written_fails_no_call(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        monkeypatch.setattr(sys, "stderr", stack.enter_context(unwritable(how)))
        for _ in range(2):
            assert client().post(ORDER_SIGN, json=body(ORDER_SIGN, PATIENT)).status_code == 200


@contextmanager
def unwritable(how: str) -> Iterator[TextIO]:
    """A file as a process is given it, to which nothing can be written any more."""
    if how == "broken pipe":
        reading, writing = os.pipe()
        os.close(reading)
        file = os.fdopen(writing, "w", buffering=1)
    else:
        file = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w", buffering=1)
    if how == "closed":
        file.close()
    with pytest.raises((OSError, ValueError)):
        file.write("first\n")
    yield file
    with suppress(OSError, ValueError):
        file.close()


def test_a_library_is_named_and_not_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    handler = logs._LibraryLogHandler()
    try:
        int(SECRET)
    except ValueError:
        fault = sys.exc_info()
    for name in ("httpcore", "uvicorn.error"):
        handler.emit(logging.LogRecord(name, logging.ERROR, "", 0, "failed for %s", (SECRET,), fault))
    handler.emit(logging.LogRecord("httpx", logging.INFO, "", 0, f"GET {SECRET}", (), None))
    said = capsys.readouterr().err
    assert "Canary" not in said
    assert [line["logger"] for line in lines(said)] == ["httpcore", "uvicorn.error"]
    assert lines(said)[0]["fault"] == "ValueError"


@contextmanager
def served(*options: str, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """``tandem serve`` as a process that keeps nothing from others, its address, what it says kept apart."""
    command = [sys.executable, "-m", "cds_hooks.cli.main", "serve", "--port", "0", *options]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1", **environment},
        umask=0,
    ) as process:
        assert process.stdout is not None
        try:
            yield urlsplit(process.stdout.readline().split()[3]).netloc, process
        finally:
            process.kill()


def test_a_served_process_says_everything_in_lines_of_json() -> None:
    with served() as (address, process):
        connection = http.client.HTTPConnection(address, timeout=20)
        connection.request("POST", f"/cds-services/{SECRET.replace(' ', '')}", SECRET)
        assert connection.getresponse().status == 404
        connection.close()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    told = lines(said)
    assert [line["status"] for line in told if line["event"] == "request"] == [404]
    assert any(line.get("logger", "").startswith("uvicorn") for line in told)
    assert "Canary" not in said


def test_the_first_line_says_what_has_started_and_every_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    file = file_with(tmp_path, f'capture = "{tmp_path}/calls"\nreplay_store = "{state}/replays.sqlite"')
    files_here = {"STATE_DIRECTORY": str(state), "TANDEM_DATABASE": ""}
    with served("--config", str(file), **files_here) as (address, process):
        wait_until_there(state / "memory.sqlite-wal")
        files = {each: each.stat().st_mode & 0o777 for each in state.iterdir()}
        folders = [(tmp_path / name).stat().st_mode & 0o777 for name in ("state", "calls")]
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    first = lines(said)[0]
    assert (first["event"], first["level"]) == ("the service starts", "info")
    assert (first["address"], first["settings"]) == (f"http://{address}", str(file))
    assert (first["clients"], first["modes"]) == (1, {"live": 1})
    assert (first["knowledge"], first["version"]) == (knowledge().digest[:12], version("tandem-cds"))
    assert {each.name for each in files} >= {"memory.sqlite", "memory.sqlite.key", "replays.sqlite"}
    assert set(files.values()) == {0o600}
    assert folders == [0o700, 0o700]


def wait_until_there(file: Path) -> None:
    """Until the service has made a file, which it does in the background."""
    end = time.monotonic() + 20
    while not file.exists():
        assert time.monotonic() < end, f"{file.name} is not made"
        time.sleep(0.01)


def test_the_lines_of_the_web_server_are_for_people_as_well_where_the_others_are() -> None:
    with served(TANDEM_LOG_FORMAT="console") as (address, process):
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port)), 20) as connection:
            connection.sendall(b"no HTTP\r\n\r\n")
            assert connection.recv(100)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    each = said.splitlines()
    assert any("Invalid HTTP request" in line for line in each)
    assert all(re.match(r"20\d\d-\d\d-\d\dT\S+Z \[", line) for line in each), said


def test_a_fault_that_ends_the_process_is_one_line_as_well() -> None:
    program = (
        "from cds_hooks.telemetry import logs\nlogs.configure('info', 'json')\nlogs.capture_process_logs()\n"
        f"raise ValueError('{SECRET}')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    (line,) = lines(done.stderr)
    assert (done.returncode, line["event"], line["fault"]) == (1, "the process ends", "ValueError")
    assert "Canary" not in done.stderr
