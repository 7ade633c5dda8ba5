"""Questionnaires of one day as a server writes them, under any name and with any items."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]


def number(value: int) -> Json:
    """An answer that is a number."""
    return {"valueInteger": value}


def form(name: str, items: Iterable[Json], **more: Any) -> Json:
    """A whole response to a Questionnaire of that name."""
    return {
        "resourceType": "QuestionnaireResponse",
        "id": "r1",
        "status": "completed",
        "authored": "2026-11-20",
        "questionnaire": f"http://example.org/Questionnaire/{name}",
        "item": list(items),
        **more,
    }
