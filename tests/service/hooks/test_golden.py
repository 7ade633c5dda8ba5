"""What every demo patient's cards say, to the letter, in files that a clinician can read.

After a wanted change: ``python -m tests.service.hooks.test_golden`` writes the files anew; the diff is the review.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.hooks.calls import ESKETAMINE, KETAMINE, ORDER_SIGN, PATIENT_VIEW, PATIENTS, TMS, cards, order

GOLDEN = Path(__file__).parent / "golden"
ORDERS = {"ketamine": KETAMINE, "esketamine": ESKETAMINE, "TMS": TMS}
DOSES = {"two-failures": 80, "uncontrolled-hypertension": 520}
"""Milligrams of ketamine that are signed beside; the first weighs 71.4 kg and the second 104 kg."""
_DIGEST = re.compile(r"Knowledge [0-9a-f]{12}")


def told(patient: str) -> str:
    """All cards of one patient as one page of Markdown; what changes with every edit of the knowledge is left out."""
    story = PATIENTS[patient]
    page = [f"# {story.title}", " ".join(story.story.split()), "## The chart is opened"]
    page += _told(cards(PATIENT_VIEW, patient, detail="brief"))
    for name, what in ORDERS.items():
        page += [f"## {name} is signed", *_told(cards(ORDER_SIGN, patient, order(what, patient), detail="brief"))]
    if patient in DOSES:
        dosage = {"text": "over 40 minutes", "doseAndRate": [{"doseQuantity": {"value": DOSES[patient], "unit": "mg"}}]}
        draft = order(KETAMINE, patient, dosageInstruction=[dosage])
        page += [
            f"## ketamine {DOSES[patient]} mg is signed",
            *_told(cards(ORDER_SIGN, patient, draft, detail="brief")),
        ]
    return _DIGEST.sub("Knowledge (digest)", "\n\n".join(page)) + "\n"


def _told(found: list[dict[str, Any]]) -> list[str]:
    page = []
    for card in found:
        page += [f"### [{card['indicator']}] {card['summary']}", card["detail"]]
        offered = [line for each in card.get("suggestions", ()) for line in _offered(each)]
        offered += [f"- {each['url']}" for each in card.get("links", ())]
        page += ["\n".join(offered)] if offered else []
    return page or ["(no card)"]


def _offered(suggestion: dict[str, Any]) -> list[str]:
    """A suggestion and, below it, what taking it would do."""
    return [f"- {suggestion['label']}", *(f"  - {line}" for each in suggestion["actions"] for line in _done(each))]


def _done(action: dict[str, Any]) -> list[str]:
    resource = action.get("resource", {"resourceType": "Observation"})
    if resource["resourceType"] == "Observation":
        return [action["description"]] if action["type"] != "create" else []
    said = [each["text"] for each in resource.get("dosageInstruction", ())]
    later = [each["detail"]["description"] for each in resource.get("activity", ()) if "detail" in each]
    notes = [each["text"] for each in resource.get("note", ())[:-2]]
    return [f"{action['description']}: {' '.join([*said, *later, *notes])}".rstrip(": ")]


@pytest.mark.parametrize("patient", PATIENTS)
def test_the_cards_are_those_on_file(patient: str) -> None:
    assert told(patient) == (GOLDEN / f"{patient}.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    for identity in PATIENTS:
        (GOLDEN / f"{identity}.md").write_text(told(identity), encoding="utf-8")
