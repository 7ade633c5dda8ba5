"""Site files of hospitals that share one service, and calls of theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from tests.support.hooks.calls import PATIENT_VIEW, body, check
from tests.support.trust.signing import BASE, bearer, claims, signed

HEAD = "reviewed: 2026-01-01\nreview_due: 2027-01-01\nanswers_for_it: test committee\n"
HOLD = "blood_pressure.hold"
PATIENT = "two-failures"
"""A demo patient whose blood pressure is above the stricter limit and below that of the product."""


def stricter(folder: Path, systolic: int = 110) -> Path:
    """The file of a site that withholds a dose at a lower blood pressure."""
    file = folder / f"stricter-{systolic}.yaml"
    limits = f"limits.systolic: {{value: {systolic}, source: design, verification: design}}"
    file.write_text(f"{HEAD}criteria:\n  {HOLD}:\n    {limits}\n")
    return file


def wrong(folder: Path) -> Path:
    """The file of a site that names a criterion which is not there."""
    file = folder / "wrong.yaml"
    file.write_text(f"{HEAD}criteria:\n  no.such:\n    limit: {{value: 1, source: design, verification: design}}\n")
    return file


def by(name: str, url: str) -> dict[str, str]:
    """The header of one client's call of an address."""
    return bearer(signed(payload=claims(iss=f"https://{name}.example", aud=BASE + url)))


def cards(service: TestClient, name: str, url: str = PATIENT_VIEW, *drafts: dict[str, Any]) -> list[dict[str, Any]]:
    """The cards that a client gets for the patient."""
    answer = service.post(url, json=body(url, PATIENT, *drafts), headers=by(name, url))
    assert answer.status_code == 200, answer.text
    return check(answer.json())


def metric(service: TestClient, beginning: str) -> list[str]:
    """The lines of the metrics that begin so."""
    return [line for line in service.get("/metrics").text.splitlines() if line.startswith(beginning)]
