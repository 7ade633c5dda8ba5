"""How long the server takes for the first view of each page of the app, launched from a chart of the demo."""

from __future__ import annotations

import statistics
import time
from datetime import date

import httpx2

from cds_hooks.demo.server import fhir_server
from cds_hooks.demo.stories import demo_patients
from tests.support.smart.ehr import running_ehr
from tests.support.smart.fixtures import running_app

REPEATS = 20
AIM_MS = 300
PATIENT = "partial-response-to-tms"
VIEWS = (
    "overview",
    "course.svg",
    "criteria",
    "trials",
    "doses.svg",
    "questionnaires",
    "questionnaires/phq9",
    "dossier",
)


def main() -> None:
    """Print one table: the first time, and the median and the worst of those after it, asking the EHR included."""
    patients = [each for each in demo_patients(date(2026, 11, 21)) if each.id == PATIENT]
    with fhir_server(patients) as fhir, running_ehr(fhir) as ehr, running_app(ehr) as app:
        print(f"| view, ms (aim: {AIM_MS}) | first | median of {REPEATS} | worst | kB |")
        print("|---|---|---|---|---|")
        with httpx2.Client(timeout=30) as browser:
            answer = browser.get(app.launch(PATIENT))
            while "/smart/v/" not in answer.headers["location"]:
                answer = browser.get(answer.headers["location"])
            opening = answer.headers["location"].rpartition("/")[0]
            for view in VIEWS:
                print(_row(view, f"{opening}/{view}", browser))


def _row(name: str, address: str, browser: httpx2.Client) -> str:
    times, size = [], 0
    for _ in range(REPEATS + 1):
        begin = time.perf_counter()
        answer = browser.get(address)
        times.append((time.perf_counter() - begin) * 1000)
        answer.raise_for_status()
        size = len(answer.content)
    first, *rest = times
    return f"| {name} | {first:.0f} | {statistics.median(rest):.0f} | {max(rest):.0f} | {size / 1000:.0f} |"


if __name__ == "__main__":
    main()
