"""The one constant card that every floor and peer answers with, so that only the way there differs."""

from typing import Any

CARD: dict[str, Any] = {
    "summary": "Conditions on the record",
    "indicator": "info",
    "detail": "A constant card, as large as a short one of a real service. " * 8,
    "source": {"label": "bench"},
}
