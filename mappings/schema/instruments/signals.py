"""How long an answer to a suicide item counts, the notes that go with scores, and what is known of other forms."""

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
    not_asked: str
    """What is missing where no form on the record asks about suicide."""
    not_recognised: str
    """What is missing where only forms that are not recognised are on the record; ``{count}`` says how many."""
    form: str
    """What a form of no known instrument is called."""
    unscored: dict[str, str]
    """Why a questionnaire has no score, by the flag that says so, the first that applies; ``other`` for any other."""
    asking_names: tuple[str, ...]
    """What the name of a form contains that asks about suicide, in lower case without punctuation."""
    asking_words: tuple[str, ...]
    """What a question about suicide contains, in the same writing."""
    denied: frozenset[str]
    """Answers in words that say no, in the same writing."""
    denied_codes: frozenset[str]
    """Answers as ``system|code`` that say no."""
