"""Every list of every input and of every draft, and requests in which one of them is long."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from fhir_plugin.record.inputs import INPUTS
from tests.support.shipped import load_yaml

RESOURCES = Path(__file__).with_name("resources.yaml")
PATIENT = "grown"
DRAFTS = "drafts"
MANNERS = ("alike", "times", "days", "apart")
"""How the elements differ: in their ids alone; by times of one day, by days, or by months, with other words each."""
_DAYS_APART = {"days": 1, "apart": 100}
_ORDERED = ("ketamine", "tms")
"""The drafts of a request in which another list is long."""
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(T.*)?")
_WORDS = frozenset({"text", "display", "valueString", "alias", "given"})
ListPath = tuple[str | int, ...]


class LongList(NamedTuple):
    """One list: of a whole input (an empty path), or within one of its resources."""

    place: str
    resource: str
    path: ListPath
    manner: str

    def __str__(self) -> str:
        inside = "".join(f".{step}" for step in self.path if isinstance(step, str))
        return f"{self.place}[{self.resource}]{inside}, {self.manner}"


def examples() -> dict[str, list[dict[str, Any]]]:
    """The resources of ``resources.yaml``, by input."""
    found: dict[str, list[dict[str, Any]]] = load_yaml(RESOURCES)
    return copy.deepcopy(found)


def long_lists() -> Iterator[LongList]:
    """Every list that can be made longer, in every manner."""
    for place, resources in examples().items():
        for resource in resources:
            paths = [path for path in lists_in(resource) if path]
            for path in [*([()] if place != "patient" else []), *paths]:
                for manner in MANNERS:
                    yield LongList(place, resource["id"], path, manner)


def lists_in(value: Any, here: ListPath = ()) -> Iterator[ListPath]:
    """The path of every list in a JSON value; of the elements of a list, the first stands for all."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from lists_in(member, (*here, name))
    elif isinstance(value, list):
        yield here
        if value:
            yield from lists_in(value[0], (*here, 0))


def request_with(long: LongList, length: int, hook: str = "order-sign") -> dict[str, Any]:
    """A request in which that list has that length; of everything else it brings a little."""
    found = examples()
    grown = next(each for each in found[long.place] if each["id"] == long.resource)
    record = {name: resources[:1] for name, resources in found.items() if name != DRAFTS}
    drafts = [each for each in found[DRAFTS] if each["id"] in _ORDERED]
    chosen = drafts if long.place == DRAFTS else record[long.place]
    if grown not in chosen:
        chosen.append(grown)
    elements, path = (chosen, ()) if not long.path else (grown, long.path)
    if path:
        _lengthen(elements, path, length, long.manner)
    else:
        chosen += [varied(grown, number, long.manner) for number in range(length)]
    return _request(record, drafts, hook)


def _lengthen(resource: dict[str, Any], path: ListPath, length: int, manner: str) -> None:
    holder: Any = resource
    for step in path[:-1]:
        holder = holder[step]
    element = holder[path[-1]][0]
    holder[path[-1]] = holder[path[-1]] + [varied(element, number, manner) for number in range(length)]


def varied(value: Any, number: int, manner: str, name: str = "") -> Any:
    """A copy of a value with an id of its own; in its times and words it differs in that manner."""
    if isinstance(value, dict):
        return {key: varied(member, number, manner, key) for key, member in value.items()}
    if isinstance(value, list):
        return [varied(member, number, manner, name) for member in value]
    if name == "id":
        return f"{value}-{number}"
    if not isinstance(value, str) or manner == "alike":
        return value
    if found := _DATE.fullmatch(value):
        if manner in _DAYS_APART:
            return (date.fromisoformat(found[1]) - timedelta(days=number * _DAYS_APART[manner])).isoformat()
        return f"{found[1]}T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z"
    return f"{value} {number}" if name in _WORDS else value


def _request(record: dict[str, list[dict[str, Any]]], drafts: list[dict[str, Any]], hook: str) -> dict[str, Any]:
    context: dict[str, Any] = {"userId": "Practitioner/1", "patientId": PATIENT}
    subject = {"reference": f"Patient/{PATIENT}"}
    if hook.startswith("order"):
        context["draftOrders"] = bundle({"subject": subject, **draft} for draft in drafts)
    if hook == "order-select":
        context["selections"] = [f"{draft['resourceType']}/{draft['id']}" for draft in drafts]
    if hook == "encounter-start":
        context["encounterId"] = "visit"
    prefetch: dict[str, Any] = {name: bundle([]) for name in INPUTS}
    for name, resources in record.items():
        member = {"devices": "patient", "allergies": "patient", "coverages": "beneficiary"}.get(name, "subject")
        prefetch[name] = bundle({member: subject, **resource} for resource in resources)
    prefetch["patient"] = record["patient"][0]
    return {"hook": hook, "hookInstance": "1", "context": context, "prefetch": prefetch}


def bundle(resources: Any) -> dict[str, Any]:
    """A search set."""
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": each} for each in resources]}


def body_of(request: dict[str, Any]) -> bytes:
    """The bytes of a request."""
    return json.dumps(request, separators=(",", ":")).encode()
