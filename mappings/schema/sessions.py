"""The rules before a treatment session: what stops or holds it, what has to be looked at first, what is due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry, KnowledgeError, Number, Reviewed, Verification
from mappings.schema.base.files import KNOWLEDGE, read_yaml
from mappings.schema.base.templates import fields_of
from mappings.schema.instruments import Instruments
from mappings.schema.rules.criteria import Criterion, FactKind
from mappings.schema.rules.facts import FactDefinition
from mappings.schema.texts.cards import Indicator

Level = Literal["stop", "hold", "review", "due"]
LEVELS: tuple[Level, ...] = ("stop", "hold", "review", "due")
"""The worst first."""

PHRASE_FIELDS = frozenset({"when", "value", "name", "before", "days"})
"""Fields of a phrase: a day, a value with its unit, a name of the knowledge, an earlier value, a number of days."""


class EntryCheck(Entry):
    """Presences of which an entry is current; with ``new``, one that began in the course or shortly before."""

    kind: Literal["entry"]
    facts: tuple[str, ...] = Field(min_length=1)
    new: bool = False
    """Whether only entries count that began, or were first recorded, since the course began."""
    within_days: Number | None = None
    """An entry that is not older counts as new, even from before the course."""
    event: bool = False
    """Whether it happens at one time: one that has ended counts, and one recorded late is old."""
    known_before: Literal["counts", "review", "silent"] = "counts"
    """What a new entry says where an older one has the same name."""
    renewed_days: Number | None = None
    """For how long before the course an older entry counts as known; ``None``: however old."""
    firm_notes: frozenset[str] = frozenset()
    """Keys of ``entries`` in ``wording.yaml``: a possible entry with such a note is certain for this rule."""
    possible: Literal["review", "same"] = "review"
    """The level of a possible entry: ``same`` is that of the rule."""


class CriterionCheck(Entry):
    """A criterion that is met, or unknown although there is a recent value."""

    kind: Literal["criterion"]
    criterion: str


class MeasuredCheck(Entry):
    """A measurement that is not on the record, or too old."""

    kind: Literal["measured"]
    fact: str
    max_age_days: Number
    if_criterion: str = ""
    """A criterion that must be met."""


class OverdueCheck(Entry):
    """A criterion that says that a measure is due: met, or unknown because it was never measured."""

    kind: Literal["overdue"]
    criterion: str


class ScoreCheck(Entry):
    """The last total of an instrument in the course: at least a limit, or risen by so many points."""

    kind: Literal["score"]
    instrument: str
    at_least: Number | None = None
    rise: Number | None = None
    """Above the lowest total since ``before_days`` before the course."""
    before_days: Number

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.at_least is None) == (self.rise is None):
            raise ValueError("either at_least or rise")
        return self


class IntervalPhase(Entry):
    """A limit of the days since the last session, in one part of a course."""

    treatment: str
    weeks: tuple[int, int | None] | None = None
    """Weeks since the first session, counted from 1."""
    sessions: tuple[int, int | None] | None = None
    """Sessions so far."""
    days: Number


class IntervalCheck(Entry):
    """The days since the last session: fewer than a limit (``soon``), more than one (``late``), none (``today``)."""

    kind: Literal["interval"]
    bound: Literal["soon", "late", "today"]
    phases: tuple[IntervalPhase, ...] = ()

    @model_validator(mode="after")
    def _phases(self) -> Self:
        if bool(self.phases) != (self.bound != "today"):
            raise ValueError("soon and late need phases; today has none")
        return self


class WorseningCheck(Entry):
    """A scale that is worse than its best value by the reliable change, or a relapse by its own rule."""

    kind: Literal["worsening"]
    instruments: tuple[str, ...] = Field(min_length=1)
    max_age_days: Number


class FirstScoreCheck(Entry):
    """No score of these instruments since the only session so far."""

    kind: Literal["first_score"]
    instruments: tuple[str, ...] = Field(min_length=1)


Check = Annotated[
    EntryCheck
    | CriterionCheck
    | MeasuredCheck
    | OverdueCheck
    | ScoreCheck
    | IntervalCheck
    | WorseningCheck
    | FirstScoreCheck,
    Field(discriminator="kind"),
]


class SessionRule(Entry):
    """One rule: when it holds, for which courses, how much it weighs, and what a clinician reads."""

    id: str
    about: str
    """The matter: of several rules about the same one, a course shows only the worst."""
    treatments: tuple[str, ...] = Field(min_length=1)
    """The treatments of the course under way to which it applies."""
    level: Level
    indicator: Indicator | None = None
    """Instead of the indicator of the level."""
    check: Check
    short: str
    """The phrase of the headline."""
    possible: str = ""
    """The phrase where it is only possible; empty if that cannot be."""
    action: str
    """One sentence: what to do."""
    why: str
    """One sentence: why."""
    offers: tuple[tuple[str, ...], ...] = ()
    """Questionnaires to suggest: of each group the first with a score on the record, else the first."""
    sources: tuple[str, ...] = Field(min_length=1)
    verification: Verification

    @property
    def numbers(self) -> dict[str, Number]:
        """Every number of the rule, by key."""
        numbers = {f"check.{key}": value for key, value in self.check if isinstance(value, Number)}
        if isinstance(self.check, IntervalCheck):
            numbers |= {f"check.phases.{place}.days": phase.days for place, phase in enumerate(self.check.phases)}
        return numbers

    @model_validator(mode="after")
    def _phrases(self) -> Self:
        for phrase in (self.short, self.possible):
            if unknown := set(fields_of(phrase)) - PHRASE_FIELDS:
                raise ValueError(f"no field {', '.join(sorted(unknown))}; there are {', '.join(sorted(PHRASE_FIELDS))}")
        can_be_possible = isinstance(self.check, EntryCheck | CriterionCheck)
        if can_be_possible != bool(self.possible):
            raise ValueError(f"possible: {self.check.kind} {'needs it' if can_be_possible else 'has no use for it'}")
        return self


class UnreadRule(Entry):
    """What is said when a list that could hold a reason was not read, or not in full."""

    always: tuple[str, ...]
    """Inputs whose absence is said in any case."""
    in_part: tuple[str, ...]
    """Inputs that are said only if they were read in part, or came unreadable: many servers have none of them."""
    short: str
    entries: str
    """The phrase for diagnoses since the course began in codes that are not known here; {count}."""
    one_entry: str
    action: str
    why: str
    names: dict[str, str]
    """How an input is called."""

    @model_validator(mode="after")
    def _every_name(self) -> Self:
        if missing := {*self.always, *self.in_part} - self.names.keys():
            raise ValueError(f"names: no name for {', '.join(sorted(missing))}")
        return self


class SessionWords(Entry):
    """The sentences of the card."""

    before: str
    """{treatments}."""
    either: str
    """Between the names of two treatments."""
    summary: str
    """{before}, {reasons}, {action}."""
    no_action: str
    """The summary where the action does not fit."""
    more: str
    today: str
    undated: str
    one_day: str
    days: str
    possible_action: str
    several: str
    """The summary where courses have different reasons to stop or to hold."""
    reason_of: str
    line: str
    line_of: str
    line_why: str
    due: str
    others: str
    others_more: str
    course: str
    one_session: str
    sources: str
    own_choice: str
    label: str
    description: str


class Sessions(Reviewed):
    """``sessions.yaml``."""

    indicators: dict[Level, Indicator]
    most_lines: int
    """Reasons that are explained; further ones are only named."""
    most_others: int
    """Further reasons that are named."""
    most_offers: int
    unread: UnreadRule
    words: SessionWords
    overview: str
    """The criterion by which pages that are not about a session say that a scale is due."""
    one_dose_if: str
    """The criterion that must be met for a single, ordered dose of such a drug to count as a first session."""
    rules: tuple[SessionRule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if set(self.indicators) != set(LEVELS):
            raise ValueError(f"indicators: one for each of {', '.join(LEVELS)}")
        names = [rule.id for rule in self.rules]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"rules: {', '.join(sorted(repeated))} is there twice")
        return self

    @property
    def criteria(self) -> tuple[str, ...]:
        """Every criterion that is named, once."""
        named = (name for rule in self.rules for name in _criteria_of(rule.check))
        return tuple(dict.fromkeys((*named, self.overview, self.one_dose_if)))

    @property
    def facts(self) -> tuple[str, ...]:
        """Every fact that a rule compares itself, once."""
        return tuple(dict.fromkeys(name for rule in self.rules for name in _facts_of(rule.check)))

    def indicator(self, rule: SessionRule, level: Level) -> Indicator:
        """The indicator of a rule at the level that it reached."""
        return rule.indicator if rule.indicator and level == rule.level else self.indicators[level]

    def source_keys(self) -> Iterator[tuple[str, str]]:
        """Every source key that is used, with the file and key that uses it."""
        for rule in self.rules:
            where = f"sessions.yaml: {rule.id}"
            yield from ((f"{where}.sources", key) for key in rule.sources)
            yield from ((f"{where}.{key}.source", number.source) for key, number in rule.numbers.items())

    def check_against(
        self,
        criteria: Mapping[str, Criterion],
        facts: Mapping[str, FactDefinition],
        instruments: Instruments,
        treatments: Mapping[str, object],
        notes: Mapping[str, str],
    ) -> None:
        """Raise :class:`KnowledgeError` if a rule refers to something that does not exist."""
        for key, name in (("overview", self.overview), ("one_dose_if", self.one_dose_if)):
            if name not in criteria:
                raise KnowledgeError(f"sessions.yaml: {key}: no criterion {name!r}")
        for rule in self.rules:
            where = f"sessions.yaml: {rule.id}"
            kind = FactKind.PRESENCE if isinstance(rule.check, EntryCheck) else FactKind.MEASUREMENT
            wrong = [name for name in _facts_of(rule.check) if name not in facts or facts[name].kind is not kind]
            for key, missing in (
                ("treatments: no treatment", set(rule.treatments) - set(treatments)),
                ("check: no criterion", set(_criteria_of(rule.check)) - set(criteria)),
                (f"check: no fact of the kind {kind}", set(wrong)),
                ("no instrument", set(_instruments_of(rule)) - set(instruments.forms)),
                ("check.firm_notes: no entry of wording.yaml", set(_notes_of(rule.check)) - set(notes)),
            ):
                if missing:
                    raise KnowledgeError(f"{where}: {key} {', '.join(sorted(missing))}")


def _criteria_of(check: Check) -> tuple[str, ...]:
    if isinstance(check, CriterionCheck | OverdueCheck):
        return (check.criterion,)
    return (check.if_criterion,) if isinstance(check, MeasuredCheck) and check.if_criterion else ()


def _facts_of(check: Check) -> tuple[str, ...]:
    if isinstance(check, EntryCheck):
        return check.facts
    return (check.fact,) if isinstance(check, MeasuredCheck) else ()


def _notes_of(check: Check) -> frozenset[str]:
    return check.firm_notes if isinstance(check, EntryCheck) else frozenset()


def _instruments_of(rule: SessionRule) -> Iterator[str]:
    check = rule.check
    if isinstance(check, ScoreCheck):
        yield check.instrument
    if isinstance(check, WorseningCheck | FirstScoreCheck):
        yield from check.instruments
    yield from (name for group in rule.offers for name in group)


def load_sessions(folder: Path = KNOWLEDGE) -> Sessions:
    """Read ``sessions.yaml``; :class:`KnowledgeError` names the key at fault."""
    return read_yaml(folder / "sessions.yaml", Sessions)
