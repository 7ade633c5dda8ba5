"""How long the server takes for the first view of the sandbox, empty and with a call about a demo patient."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import date

from httpx import Response
from pydantic import SecretStr
from starlette.testclient import TestClient

from cds_hooks.application.app import create_app
from cds_hooks.demo.server import fhir_server
from cds_hooks.demo.stories import demo_patients
from cds_hooks.settings.settings import Settings
from mappings.schema.load import load_knowledge

REPEATS = 20
AIM_MS = 300
PATIENT = "partial-response-to-tms"


def main() -> None:
    """Print one table: the first time, and the median and the worst of those after it."""
    day = date(2026, 11, 21)
    with fhir_server(demo_patients(day)) as fhir:
        app = create_app(
            Settings(sandbox=True, database=SecretStr("off")), load_knowledge(), today=lambda: day, demo_fhir=fhir
        )
        with TestClient(app, base_url="http://127.0.0.1") as client:
            form = {"patient": PATIENT, "hook": "order-sign", "order": "ketamine", "with_server": "yes"}
            views: dict[str, Callable[[], Response]] = {
                "the empty form": lambda: client.get("/sandbox"),
                "fired, nothing prefetched": lambda: client.post("/sandbox", data={**form, "prefetching": "none"}),
                "fired, everything prefetched": lambda: client.post("/sandbox", data={**form, "prefetching": "all"}),
            }
            print(f"| view, ms (aim: {AIM_MS}) | first | median of {REPEATS} | worst | kB |")
            print("|---|---|---|---|---|")
            for name, view in views.items():
                print(_row(name, view))


def _row(name: str, view: Callable[[], Response]) -> str:
    times, size = [], 0
    for _ in range(REPEATS + 1):
        begin = time.perf_counter()
        answer = view()
        times.append((time.perf_counter() - begin) * 1000)
        answer.raise_for_status()
        size = len(answer.content)
    first, *rest = times
    return f"| {name} | {first:.0f} | {statistics.median(rest):.0f} | {max(rest):.0f} | {size / 1000:.0f} |"


if __name__ == "__main__":
    main()
