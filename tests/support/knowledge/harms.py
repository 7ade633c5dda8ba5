"""What may happen to a record on its way here: each harm hides something, and none says what it hid.

A member is left out, emptied or of the wrong structure; a code, a name, a unit or a status is replaced by one that
nobody knows; a list is cut and says so by its total.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, NamedTuple

Path = tuple[str | int, ...]

UNKNOWN_CODE = {"system": "http://terminology.example.org/local", "code": "no-such-code"}
UNKNOWN_DRUG, UNKNOWN_WORDS = {"text": "zorbaxil"}, {"text": "ゾルバキシル"}
_UNKNOWN_STATUS, _UNKNOWN_UNIT = "no-such-status", "furlong"
_FIXED = {"resourceType", "id", "subject", "patient"}
_CONCEPTS = {"code", "type", "medicationCodeableConcept", "valueCodeableConcept", "manifestation"}
_DRUG = "medicationCodeableConcept"
_STATUSES = {"status", "clinicalStatus", "verificationStatus"}
_UNSEEN = {
    "note": "nobody can know that there was a note",
    "reasonCode": "nor that there was a reason",
    "statusReason": "nor why it was stopped",
    "reaction": "nor that there was a reaction",
    "quantity": "nor that less was handed out than the dosage says",
    "verificationStatus": "an entry that is not refuted any more is one more entry that can be read",
}
"""Members that an entry need not have, so that their loss leaves an entry that was read as a whole."""


class Harm(NamedTuple):
    """One harm to one resource of a chart, or to the list in which it stands."""

    at: int
    """Place of the resource."""
    path: Path
    kind: str
    """``dropped``, ``emptied``, ``misshapen``, ``cut``, or what is unknown: a code, name, unit or status."""


def harms(chart: list[dict[str, Any]]) -> list[Harm]:
    """Everything that can happen to a chart."""
    found: list[Harm] = []
    for at, entry in enumerate(chart):
        if entry["resourceType"] == "Patient":
            continue
        found += [Harm(at, path, kind) for path, value in _members(entry, ()) for kind in _kinds(path, value)]
        if entry["resourceType"] != "Medication":
            found.append(Harm(at, (), "cut"))
    return found


def _members(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        if path or key not in _FIXED:
            yield (*path, key), inner
            yield from _members(inner, (*path, key))


def _kinds(path: Path, value: Any) -> Iterator[str]:
    if len(path) == 1:
        yield "misshapen"
    if path[0] in _UNSEEN:
        return
    yield "dropped"
    if isinstance(value, dict):
        yield "emptied"
        if path[-1] in _CONCEPTS:
            yield from ("unknown code", "unknown name")
    if path[-1] == "unit":
        yield "unknown unit"
    if path[0] in _STATUSES and path[-1] in ("status", "code"):
        yield "unknown status"


def harmed(chart: list[dict[str, Any]], harm: Harm) -> list[dict[str, Any]]:
    """The chart after a harm; of a list that was cut, without the entry that is lost."""
    changed = deepcopy(chart)
    if harm.kind == "cut":
        del changed[harm.at]
        return changed
    holder: Any = changed[harm.at]
    for key in harm.path[:-1]:
        holder = holder[key]
    if harm.kind == "dropped":
        del holder[harm.path[-1]]
    else:
        holder[harm.path[-1]] = _instead(harm, chart[harm.at]["resourceType"])
    if harm.kind == "unknown unit":
        holder.pop("code", None)
    return changed


def _instead(harm: Harm, resource_type: str) -> Any:
    """What stands in place of the member that is harmed."""
    is_drug = harm.path[-1] == _DRUG or resource_type == "Medication"
    replacements: dict[str, Any] = {
        "emptied": {},
        "misshapen": [[]],
        "unknown code": {"coding": [UNKNOWN_CODE]},
        "unknown name": UNKNOWN_DRUG if is_drug else UNKNOWN_WORDS,
        "unknown unit": _UNKNOWN_UNIT,
        "unknown status": _UNKNOWN_STATUS,
    }
    return replacements[harm.kind]
