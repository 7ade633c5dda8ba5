"""The wording of the cards, as data; fields are checked on load."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, Reviewed
from mappings.schema.base.files import KNOWLEDGE, read_yaml
from mappings.schema.base.templates import fields_of
from mappings.schema.rules.protocols import Role, StandingKey

VerdictKey = Literal["met", "not_met", "unknown"]
Indicator = Literal["info", "warning", "critical"]

_FIELDS: dict[str, frozenset[str]] = {
    "also": frozenset({"treatment", "standing"}),
    "not_found": frozenset({"criteria"}),
    "looked_in": frozenset({"places"}),
    "asks": frozenset({"asks"}),
    "trials": frozenset(),
    "pathway": frozenset({"protocol", "pathway", "says"}),
    "choice": frozenset({"grade"}),
    "undecided": frozenset({"pathways"}),
    "conflicts": frozenset(),
    "conflict": frozenset({"topic", "positions", "resolution"}),
    "position": frozenset({"source", "position"}),
    "gaps": frozenset({"gaps"}),
    "dropped": frozenset({"count"}),
    "foreign_drafts": frozenset({"count"}),
    "review_overdue": frozenset({"day"}),
    "basis": frozenset({"protocol", "grade", "day", "digest"}),
    "source": frozenset({"protocol"}),
    "link": frozenset({"citation"}),
}
"""Allowed fields, by sentence."""

_PAYER_FIELDS: dict[str, frozenset[str]] = {
    "line": frozenset({"policy", "dated", "reviewed", "overdue", "met", "not_met", "unknown", "which"}),
    "not_met": frozenset({"items"}),
    "unknown": frozenset({"items"}),
    "more_items": frozenset({"count"}),
    "more": frozenset({"count"}),
}
"""Allowed fields of a payer's checklist, by sentence."""


class TableWords(Entry):
    """The table of criteria."""

    header: tuple[str, str, str, str]
    brief_header: tuple[str, str, str, str]
    verdicts: dict[Role, dict[VerdictKey, str]]
    doubts: dict[Literal["unread", "possible", "missing", "ask"], str]
    """Why something is unknown, in a word."""
    more: str
    no_record: str

    @model_validator(mode="after")
    def _every_role(self) -> Self:
        missing = [role.value for role in Role if len(self.verdicts.get(role, ())) < len(get_args(VerdictKey))]
        if missing:
            raise ValueError(f"verdicts: not every verdict has a word for {', '.join(missing)}")
        return self


class HeadlineWords(Entry):
    """The first line about a treatment: its standing and the weightiest reasons."""

    most_reasons: int
    standings: dict[StandingKey, str]
    """With ``{treatment}`` and ``{reasons}``."""
    elsewhere: dict[StandingKey, str]
    """Instead of ``standings``, where nothing is being ordered."""
    between: str
    items: str
    and_: str = Field(alias="and")
    """With ``{first}`` and ``{last}``: the last two of several items."""
    instead: str
    """With ``{reason}`` and ``{do}``: a hold, and what clears it."""
    not_met: str
    needed: str
    not_known: str
    ask: str
    check: str
    weigh: str
    more: str
    empty: str
    """The reason where a treatment has no criteria."""
    no_further: str
    """The reason where all that speaks against an open treatment is said elsewhere."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if set(self.standings) != set(get_args(StandingKey)):
            raise ValueError(f"standings: needs {', '.join(get_args(StandingKey))}")
        for key in ("not_met", "needed", "not_known", "ask", "check", "weigh"):
            _check_fields(key, getattr(self, key), frozenset({"items"}))
        for sentence in (*self.standings.values(), *self.elsewhere.values()):
            _check_fields("standings", sentence, frozenset({"treatment", "reasons"}))
        return self


class BriefWords(Entry):
    """The detail of a card that is read in ten seconds."""

    most_words: int
    """Optional lines are added up to here."""
    most_words_with_table: int
    """With the table of the criteria, where the client has no app that shows them."""
    most_lines: int
    reason: str
    reason_of: str
    """With ``{title}``, ``{entry}`` and ``{why}``: a possible reason, with the entry of the record that may mean it."""
    also: str
    weigh: str
    settle: str
    most_asks: int
    more_asks: str
    not_read: str
    unrecognised: str
    """With ``{items}``: entries of the record that could not be told what they are, in its own words."""
    most_unrecognised: int
    unscored: str
    """With ``{items}``: questionnaires without a score."""
    unscored_form: str
    """With ``{form}``, ``{day}`` and ``{why}``."""
    unscored_days: int
    other: str
    pathway: str
    """With ``{pathway}`` and ``{says}``."""
    change: str
    """With ``{scale}``, ``{start}``, ``{end}`` and ``{count}``: what a course changed."""
    choice: str
    """With ``{grade}``: a pathway that is the clinician's choice."""
    basis: str
    table_absent: str
    """With ``{count}``: criteria that were looked for and not found, in one row."""
    table_not_found: str
    table_cut: str
    """With ``{count}``: rows for which there was no room."""


class FactorWords(Entry):
    """The questions on which the sequence of treatments depends."""

    lead: str
    line: str
    answer: str
    verdicts: dict[VerdictKey, str]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if set(self.verdicts) != set(get_args(VerdictKey)):
            raise ValueError("verdicts: each of met, not_met and unknown needs a word")
        for sentence, allowed in ((self.line, {"question", "says"}), (self.answer, {"title", "verdict"})):
            if not allowed.issuperset(fields_of(sentence)):
                raise ValueError(f"may name only {', '.join(sorted(allowed))}")
        return self


class ReviewWords(Entry):
    """A card for a criterion that is unknown because of a possible entry."""

    facts: tuple[str, ...]
    """The facts for which a possible entry is sufficient, of the criterion or beside it."""
    unless: frozenset[str] = Field(alias="except")
    """Keys of ``entries`` in ``wording.yaml``: entries that all have such a note do not justify the card."""
    indicator: Indicator
    summary: str
    lead: str


class CriterionCard(Entry):
    """A separate card for one criterion that is met."""

    criterion: str
    indicator: Indicator
    summary: str
    lead: str
    reviews: tuple[ReviewWords, ...] = ()


class ScoreWords(Entry):
    """The offer to score completed questionnaires whose score is not on the record."""

    most: int
    recent_days: int
    """Older responses are not offered."""
    indicator: Indicator
    summary: str
    lead: str
    label: str
    description: str


class PayerWords(Entry):
    """A payer's checklist on a card: which policy may apply, and which items are open."""

    most: int
    """Maximum number of lines."""
    named: int
    """Maximum number of items named in one line."""
    stands_for: dict[str, tuple[str, ...]]
    """Treatments that stand for several, each with its own payer policies."""
    line: str
    not_met: str
    unknown: str
    more_items: str
    more: str


class OverrideReasonText(Entry):
    """An override reason, as the clinician reads it."""

    code: str
    display: str


class CardWords(Reviewed):
    """``cards.yaml``."""

    system: str
    """The code system of this product."""
    treatments: dict[str, str]
    standing: dict[StandingKey, str]
    headline: HeadlineWords
    brief: BriefWords
    factors: FactorWords
    also: str
    table: TableWords
    not_found: str
    looked_in: str
    asks: str
    trials: str
    pathway: str
    choice: str
    undecided: str
    conflicts: str
    conflict: str
    position: str
    gaps: str
    dropped: str
    foreign_drafts: str
    review_overdue: str
    basis: str
    disclaimer: str
    source: str
    link: str
    indicators: dict[str, dict[StandingKey, Indicator]]
    safety: tuple[CriterionCard, ...] = Field(min_length=1)
    another_antidepressant: CriterionCard
    scores: ScoreWords
    payer: PayerWords
    override_reasons: tuple[OverrideReasonText, ...]

    @model_validator(mode="after")
    def _fields(self) -> Self:
        for key, allowed in _PAYER_FIELDS.items():
            _check_fields(f"payer.{key}", getattr(self.payer, key), allowed)
        for key, allowed in _FIELDS.items():
            sentences = getattr(self, key)
            for sentence in sentences.values() if isinstance(sentences, dict) else (sentences,):
                _check_fields(key, sentence, allowed)
        return self


def _check_fields(key: str, sentence: str, allowed: frozenset[str]) -> None:
    if not allowed.issuperset(fields_of(sentence)):
        raise ValueError(f"{key}: may name only {', '.join(sorted(allowed))}")


def load_card_words(folder: Path = KNOWLEDGE) -> CardWords:
    """The words of the cards."""
    return read_yaml(folder / "cards.yaml", CardWords)
