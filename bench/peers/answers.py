"""The one constant card that every floor and peer answers with, so that only the way there differs."""

import gc
from typing import Any

COLLECT_AFTER = 50_000
"""The setting of ``cds_hooks.application.app``, so that no peer pays more to the collector than Tandem does."""


def settle() -> None:
    """Treat the collector as Tandem does when it has started."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


CARD: dict[str, Any] = {
    "summary": "Conditions on the record",
    "indicator": "info",
    "detail": "A constant card, as large as a short one of a real service. " * 8,
    "source": {"label": "bench"},
}
