"""Requests that were right until something happened to them."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.support.conformance.ehr import SERVICES, request
from tests.support.hooks.calls import DAY, HOSTILE

SEEDS = ("nearly-empty", "two-failures", "uncontrolled-hypertension", "acute-crisis", "partial-response-to-tms")

ODD: list[Any] = [
    None, True, 0, -1, 1.5, 1e308, 2**70, "", " ", "x", "\x00", "\ud7ff", "𝒳" * 40, "a" * 5000, [], {}, [[]], [None],
    {"resourceType": "Patient"}, {"resourceType": "Bundle", "entry": [{}]}, {"reference": "Patient/somebody-else"},
    "2026-02-30", "0001-01-01", "9999-12-31T23:59:60Z", "2026-01", f"{DAY}", "Patient/two-failures", "#x", "urn:uuid:1",
    "http://127.0.0.1:9/fhir", "../..", "mg", "ketamine", {"value": -3, "unit": "kg"}, {"value": 1e9, "code": "mm[Hg]"},
    {"coding": [{"system": "http://snomed.info/sct", "code": "370143000"}]}, {"text": "major depression"}, *HOSTILE,
]  # fmt: skip
"""What a value is replaced by: every JSON type, dates that are none, other people, other units."""

Path = tuple[str | int, ...]


@cache
def seed(url: str, patient: str) -> dict[str, Any]:
    return request(url, patient)


def places(value: Any, here: Path = ()) -> list[Path]:
    """Every place in a JSON value but the top."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[Path] = []
    for key, member in members:
        found += [(*here, key), *places(member, (*here, key))]
    return found


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def mutate(draw: st.DrawFn, value: dict[str, Any]) -> None:
    """One thing happens to the value, in place; nothing where no place is left."""
    where = places(value)
    if not where:
        return
    path = draw(st.sampled_from(where))
    holder, key = _at(value, path[:-1]), path[-1]
    happens = draw(st.sampled_from(["replaced", "replaced", "removed", "wrapped", "doubled", "moved"]))
    if happens == "removed":
        del holder[key]
    elif happens == "wrapped":
        holder[key] = [holder[key]] if draw(st.booleans()) else {"value": holder[key]}
    elif happens == "doubled" and isinstance(holder, list):
        holder.extend(copy.deepcopy(holder[int(key)]) for _ in range(3))
    elif happens == "moved":
        holder[key] = copy.deepcopy(_at(value, draw(st.sampled_from(where))))
    else:
        holder[key] = copy.deepcopy(draw(st.sampled_from(ODD)))


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, bytes]:
    """The address of a service, and a body in which one to six things happened, the last of them to its bytes."""
    url = draw(st.sampled_from(list(SERVICES)))
    value = copy.deepcopy(seed(url, draw(st.sampled_from(SEEDS))))
    for _ in range(draw(st.integers(1, 6))):
        mutate(draw, value)
    body = json.dumps(value, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=8)) + body[at + draw(st.integers(0, 8)) :]
    return url, body
