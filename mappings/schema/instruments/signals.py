"""How long an answer to a suicide item counts, and the notes that go with scores."""

from __future__ import annotations

from mappings.schema.base.entries import Number, Reviewed


class SuicideSignals(Reviewed):
    """How long an answer to a suicide item counts as current."""

    positive_for_days: Number
    negative_for_days: Number
    long_ago: str
    """Note for an older positive answer."""
    negative_long_ago: str
    undated: str
    contradictory: str
    """Note for a total beside which others of the same time are recorded; ``{totals}`` names them."""
