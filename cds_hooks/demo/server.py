"""A local FHIR R4 server for the demo and the integration tests, in a process that cannot outlive its parent."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO
from urllib.parse import urlsplit

from cds_hooks.demo.stories import DemoPatient
from fhir_plugin.errors import BadInput, PermanentlyUnavailable
from fhir_plugin.extras import DEMO

_SCRIPT = Path(__file__).with_name("fhir_process.py")
_START_SECONDS, _STOP_SECONDS = 60, 5
_LOADED = (200, 201)
_HEADERS = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}


@contextmanager
def fhir_server(patients: Iterable[DemoPatient], port: int = 0) -> Iterator[str]:
    """A FHIR server on loopback that holds ``patients``, as its base URL; stopped on exit.

    :raises BadInput: the port is taken.
    :raises MissingExtra: the server is not installed.
    :raises PermanentlyUnavailable: it did not start or did not take the patients.
    """
    DEMO.require()
    with TemporaryDirectory(prefix="tandem-demo-") as folder, TemporaryFile() as stderr_file:
        process = subprocess.Popen(  # noqa: S603 - our own script, no shell
            [sys.executable, "-P", str(_SCRIPT), str(port)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr_file,
            # Ctrl-C in a terminal reaches a whole process group; this process is stopped by us, in order.
            start_new_session=True,
        )
        try:
            base_url = _wait_for_start(process, stderr_file, port)
            for patient in patients:
                _load(base_url, patient, stderr_file)
            yield base_url
        finally:
            _stop(process)


def _wait_for_start(process: subprocess.Popen[bytes], stderr_file: IO[bytes], port: int) -> str:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    listening = process.stdout.readline().strip().decode()
    if not listening:
        process.wait()
        reason = _last_line(stderr_file)
        raise BadInput(f"the FHIR server cannot listen on port {port}: {reason}; choose another with --fhir-port")
    return f"http://127.0.0.1:{listening}/fhir"


def _load(base_url: str, patient: DemoPatient, stderr_file: IO[bytes]) -> None:
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_START_SECONDS)
    try:
        connection.request("POST", address.path, patient.bundle, _HEADERS)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as fault:
        raise PermanentlyUnavailable(f"the FHIR server did not start: {_last_line(stderr_file) or fault}") from fault
    finally:
        connection.close()
    if answer.status not in _LOADED:
        raise PermanentlyUnavailable(f"the FHIR server did not accept the demo patient {patient.id}: {answer.status}")


def _last_line(stderr_file: IO[bytes]) -> str:
    stderr_file.seek(0)
    lines = stderr_file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Closing standard input asks it to stop; it is killed if it does not stop in time."""
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
