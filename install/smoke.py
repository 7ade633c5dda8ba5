"""Tests an installed Tandem: it is ready, its canaries are checked, and a hook is answered with the expected card.

``python install/smoke.py URL`` queries a running service; ``python install/smoke.py COMMAND...`` starts one, such as
``/opt/tandem/bin/tandem``, on a free port, in an empty folder and with its own home.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

READY_SECONDS = 180
CALL_SECONDS = 20


def smoke(service: str) -> str:
    """The result in one line; ``SystemExit`` with one line if something is missing."""
    ready = wait_until_ready(service)
    hook = next(offered for offered in get(f"{service}/cds-services")["services"] if offered["hook"] == "order-sign")
    cards = get(f"{service}/cds-services/{hook['id']}", order_sign(hook["prefetch"]))["cards"]
    if not any(card["indicator"] == "critical" and "172/104" in card["summary"] for card in cards):
        raise SystemExit(f"smoke: ketamine at 172/104 mm[Hg] is not held: {[card['summary'] for card in cards]}")
    return f"ready with knowledge {ready['knowledge'][:12]}, database {ready['database']}; {cards[0]['summary']}"


def wait_until_ready(service: str) -> dict[str, Any]:
    """The answer of ``/readyz`` once the canaries have been checked."""
    ends, last = time.monotonic() + READY_SECONDS, "no answer"
    while time.monotonic() < ends:
        try:
            answer: dict[str, Any] = get(f"{service}/readyz")
        except (URLError, ConnectionError, TimeoutError) as fault:
            last = f"{fault.code} {fault.read().decode()}" if isinstance(fault, HTTPError) else str(fault)
        else:
            if answer["canaries"] == "ok":
                return answer
            last = json.dumps(answer)
        time.sleep(0.2)
    raise SystemExit(f"smoke: {service}/readyz was not ready within {READY_SECONDS} s: {last}")


def get(address: str, body: object = None) -> Any:
    """The JSON at an address; a body is sent as POST."""
    content = None if body is None else json.dumps(body).encode()
    request = Request(address, content, {"Content-Type": "application/json"})  # noqa: S310 - what the caller named
    with urlopen(request, timeout=CALL_SECONDS) as response:  # noqa: S310
        return json.load(response)


def order_sign(templates: Sequence[str]) -> dict[str, object]:
    """A request: ketamine is about to be signed for a patient whose blood pressure reached the hold level today."""
    subject = {"reference": "Patient/p1"}
    nothing = {"resourceType": "Bundle", "type": "searchset", "entry": []}
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "1980-01-01"}
    pressure = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "subject": subject,
        "effectiveDateTime": date.today().isoformat(),  # noqa: DTZ011 - the day of the service on this machine
        "code": loinc("85354-9"),
        "component": [
            {"code": loinc(code), "valueQuantity": {"value": value, "unit": "mmHg", "code": "mm[Hg]"}}
            for code, value in (("8480-6", 172), ("8462-4", 104))
        ],
    }
    order = {
        "resourceType": "MedicationRequest",
        "id": "draft-1",
        "status": "draft",
        "intent": "order",
        "subject": subject,
        "medicationCodeableConcept": {"text": "ketamine 50 mg"},
    }
    prefetch: dict[str, object] = dict.fromkeys(templates, nothing)
    prefetch |= {"patient": patient, "observations": nothing | {"entry": [{"resource": pressure}]}}
    drafts = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]}
    context = {"userId": "Practitioner/p", "patientId": "p1", "draftOrders": drafts}
    return {"hook": "order-sign", "hookInstance": "1", "context": context, "prefetch": prefetch}


def loinc(code: str) -> dict[str, object]:
    """A LOINC code as a CodeableConcept."""
    return {"coding": [{"system": "http://loinc.org", "code": code}]}


@contextmanager
def started(command: Sequence[str]) -> Iterator[str]:
    """The address of a service that a command runs for this block."""
    with TemporaryDirectory(prefix="tandem-smoke-") as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("TANDEM_", "PYTHON"))}
        environment |= {"HOME": folder, "XDG_STATE_HOME": folder, "STATE_DIRECTORY": folder}
        with subprocess.Popen(
            (Path(command[0]).resolve(), *command[1:], "serve", "--port", "0"),
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout is not None  # noqa: S101
            try:
                line = process.stdout.readline()
                found = re.search(r"(http://\S+)/cds-services", line)
                if not found:
                    raise SystemExit(f"smoke: {command[0]} serve did not start: {line.strip() or 'it printed nothing'}")
                yield found[1]
            finally:
                process.terminate()


def main(arguments: list[str]) -> None:
    """Test the service that the arguments name, or the one that they start."""
    if arguments and arguments[0].startswith("http"):
        print(smoke(arguments[0].rstrip("/")))
    elif arguments:
        with started(arguments) as service:
            print(smoke(service))
    else:
        raise SystemExit("usage: python install/smoke.py URL | COMMAND...")


if __name__ == "__main__":
    main(sys.argv[1:])
