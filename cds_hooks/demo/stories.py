"""The demo patients: one case for each path through the protocols, as a FHIR R4 record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec

from cds_hooks.demo.forms import DemoForms, FormRenderer
from cds_hooks.demo.moments import Moment, read_moment, series
from mappings.schema.base.entries import Entry, KnowledgeError
from mappings.schema.base.files import read_yaml

_HERE = Path(__file__).parent
_STORIES = _HERE / "patients"


class Expectation(Entry):
    """The expected decision on the combination of ketamine and TMS."""

    pathway: str
    """The expected path, in words."""
    because: str
    """The reason, in a clinician's words."""
    fits: tuple[str, ...]
    """The pathways of the default protocol that are for a patient like this one."""
    standings: dict[str, str]
    """The expected standing of each treatment under the default protocol."""
    decided_by: tuple[str, ...]
    """The criteria that must be met for this case."""
    speaks: bool
    """Whether a card is expected when the chart is opened."""


class Story(Entry):
    """One file under ``patients/``."""

    order: int
    """Position in the displayed list."""
    title: str
    story: str
    expect: Expectation
    resources: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class DemoPatient:
    """One synthetic patient on one anchor day."""

    id: str
    title: str
    story: str
    expect: Expectation
    bundle: bytes
    """A FHIR transaction Bundle (JSON) that puts the whole record on a server."""


@lru_cache(maxsize=4)
def demo_patients(anchor: date) -> tuple[DemoPatient, ...]:
    """The demo patients relative to the day ``anchor``; :class:`KnowledgeError` if a story is invalid."""
    forms = read_yaml(_HERE / "forms.yaml", DemoForms)
    return tuple(_demo_patient(identity, story, forms, anchor) for identity, story in _stories())


@cache
def _stories() -> tuple[tuple[str, Story], ...]:
    stories = [(path.stem, read_yaml(path, Story)) for path in sorted(_STORIES.glob("*.yaml"))]
    return tuple(sorted(stories, key=lambda item: item[1].order))


def _demo_patient(identity: str, story: Story, forms: DemoForms, anchor: date) -> DemoPatient:
    resources = [resource for entry in story.resources for resource in _resources(identity, entry, forms, anchor)]
    entries = [
        {"resource": resource, "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}}
        for resource in resources
    ]
    bundle = msgspec.json.encode({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    return DemoPatient(identity, story.title, story.story, story.expect, bundle)


def _resources(patient: str, entry: dict[str, Any], forms: DemoForms, anchor: date) -> Iterator[dict[str, Any]]:
    """The resources of one entry: a form rendered once or several times, or literal FHIR."""
    if "resourceType" in entry:
        yield FormRenderer({"patient": patient, "id": entry.get("id")}, forms.tables, anchor).fill(entry)
        return
    name, fields = next((key, value) for key, value in entry.items() if key not in ("times", "every"))
    if name not in forms.forms:
        raise KnowledgeError(f"{patient}: there is no form {name!r}")
    values = {**forms.given.get(name, {}), **fields, "patient": patient}
    for place, moment in enumerate(_moments(values, entry, anchor), start=1):
        identity = f"{values['id']}-{place}" if "times" in entry else values.get("id")
        filling = FormRenderer({**values, "day": moment, "id": identity, "number": place}, forms.tables, anchor)
        yield filling.fill(forms.forms[name])


def _moments(values: dict[str, Any], entry: dict[str, Any], anchor: date) -> Iterator[Moment]:
    first = read_moment(values.get("day", "T"), anchor)
    if first is None:
        raise KnowledgeError(f"{values['patient']}: {values['day']!r} is not a day such as T-30d")
    return series(first, entry.get("times", 1), entry.get("every", "1d"))
