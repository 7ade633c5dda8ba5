"""The local FHIR server: it holds the patients, and nothing of it is left when its parent is gone."""

import http.client
import os
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from cds_hooks.demo.server import fhir_server
from cds_hooks.demo.stories import DemoPatient
from fhir_plugin.errors import BadInput, MissingExtra, PermanentlyUnavailable
from tests.support.demo.server import get

pytestmark = pytest.mark.server


def test_it_holds_every_demo_patient(fhir: str, patients: dict[str, DemoPatient]) -> None:
    found = get(fhir, "Patient?_count=50")
    assert {entry["resource"]["id"] for entry in found["entry"]} == set(patients)


def test_it_searches_by_patient_and_code(fhir: str) -> None:
    found = get(fhir, "Observation?patient=uncontrolled-hypertension&code=http%3A%2F%2Floinc.org%7C85354-9")
    assert {entry["resource"]["id"] for entry in found["entry"]} == {
        f"uncontrolled-hypertension-bp-{n}" for n in (1, 2, 3)
    }


@pytest.mark.parametrize("query", ["code=http://loinc.org|85354-9", "code={x}", "code=100%", "code=a^b"])
def test_it_refuses_a_request_line_that_a_strict_server_refuses(query: str, fhir: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(fhir).netloc, timeout=30)
    connection.request("GET", f"/fhir/Observation?patient=two-failures&{query}")
    assert connection.getresponse().status == 400
    connection.close()


def test_it_is_gone_after_the_block_even_when_the_block_fails() -> None:
    seen: list[str] = []

    def fails() -> None:
        with fhir_server(()) as base_url:
            seen.append(base_url)
            assert get(base_url, "metadata")["resourceType"] == "CapabilityStatement"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    with pytest.raises(ConnectionRefusedError):
        get(seen[0], "metadata")


def test_a_port_that_is_taken_is_one_clear_line(fhir: str) -> None:
    port = urlsplit(fhir).port or 0
    with pytest.raises(BadInput, match=rf"cannot listen on port {port}: Address already in use; .*--fhir-port"):
        fhir_server((), port).__enter__()


def test_a_patient_that_the_server_refuses_stops_the_start(patients: dict[str, DemoPatient]) -> None:
    well = patients["doing-well"]
    broken = DemoPatient(
        well.id, well.title, well.story, well.expect, well.bundle.replace(b'"birthDate":"', b'"birthDate":"x')
    )
    with pytest.raises(PermanentlyUnavailable, match="did not accept the demo patient doing-well: 400"):
        fhir_server([broken]).__enter__()


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sekmet", None)
    with pytest.raises(MissingExtra, match=r"pip install 'tandem-cds\[demo\]'"):
        fhir_server(()).__enter__()


def test_it_ends_when_its_parent_is_killed() -> None:
    parent = """
import sys
from cds_hooks.demo.server import fhir_server
with fhir_server(()) as base_url:
    print(base_url, flush=True)
    sys.stdin.read()
"""
    process = subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    base_url = process.stdout.readline().decode().strip()
    held = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=30)
    held.request("GET", "/fhir/metadata")
    assert held.getresponse().read()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert held.sock.recv(1) == b"", "the server closes the connection that is kept alive, as it ends"
    held.close()
    process.stdout.close()
    process.stdin.close()
