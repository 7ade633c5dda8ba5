"""The sentences of the product, as data: templates whose fields are checked on load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry
from mappings.schema.base.files import read_yaml
from mappings.schema.base.short_dates import ShortDates
from mappings.schema.base.templates import fields_of
from mappings.schema.rules.criteria import Comparator

FINDING_FIELDS = frozenset({"title", "value", "limit", "day", "count", "when", "missing", "max_age"})
"""The fields that a sentence of a finding may use."""
PHRASE_FIELDS = frozenset({"names", "pair", "value", "limit", "when", "ago", "dated", "noted"})
"""The fields that a phrase of a criterion may use. All that tell a day begin with a space, or are empty.

``names``: of the entries, by the knowledge; ``pair``: one for each fact, joined by the word for with; ``when``: the day
of a measurement (``on 25 Nov``); ``ago``: the day of an entry (``21 days ago``); ``dated``: the day of an entry about
something that lasts (``(28 Sep)``); ``noted``: the day of an entry that may mean it (``(noted 21 days ago)``).
"""


class FindingWords(Entry):
    """The sentences for one comparison, by result."""

    met: str
    not_met: str
    unknown: str
    unsure: str = ""
    """Unknown despite evidence: a possible entry, or a number whose bounds straddle the limit."""
    old: str = ""
    """Unknown because the measurement is too old."""
    not_asked: str = ""
    """Unknown because it is learnt only by asking, and no answer is on the record."""

    def titled(self, title: str) -> FindingWords:
        """The same sentences with ``{title}`` filled in."""
        return self.model_copy(update={key: template.replace("{title}", title) for key, template in self})

    @model_validator(mode="after")
    def _fields(self) -> Self:
        for key, template in self:
            for field in fields_of(template):
                if field not in FINDING_FIELDS:
                    raise ValueError(f"{key}: no field {{{field}}}; there are {', '.join(sorted(FINDING_FIELDS))}")
        return self


class NearDayWords(ShortDates):
    """How a day is named: near ones by their distance, others by their date."""

    today: str
    yesterday: str
    ago: str
    """With ``{days}``."""
    ago_most_days: int
    """Older days are named by their date."""
    measured: str
    """With ``{date}``: the day of a measurement."""
    dated: str
    """With ``{date}``: the day of an entry about something that lasts."""
    noted: str
    """With ``{date}``: the day of an entry that may mean something."""
    month: str
    """With ``{month}`` and ``{year}``: an older day, or a date without a day."""


class NameWords(Entry):
    """How several names are joined in a headline."""

    both: str
    """Between two entries of one finding."""
    pair: str
    """Between the entries of two facts that matter together."""
    possible: str
    """With ``{short}`` and ``{noted}``: an entry that may mean it."""


class Wording(Entry):
    """All sentences; ``cards`` is read by the package that builds cards."""

    findings: dict[Comparator, FindingWords]
    entries: dict[str, str]
    """Notes on a piece of evidence, by key."""
    local: str
    """The addition to a finding that is based on a site's own number."""
    days: NearDayWords
    names: NameWords
    units: dict[str, str]
    """How clinicians write a UCUM unit; others are written as they are."""
    inputs: dict[str, str]
    """What a headline calls an input that could not be read whole."""
    gaps: dict[str, str]
    """What is missing, by key; the fields are ``{input}`` and ``{state}``."""
    cards: Mapping[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _every_comparison(self) -> Self:
        missing = [comparator.value for comparator in Comparator if comparator not in self.findings]
        if missing:
            raise ValueError(f"findings: no sentences for {', '.join(missing)}")
        return self


def load_wording(path: Path) -> Wording:
    """Read ``wording.yaml``."""
    return read_yaml(path, Wording)
