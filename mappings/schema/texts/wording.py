"""The sentences of the product, as data: templates whose fields are checked on load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Any, Self

from pydantic import Field, model_validator

from mappings.schema.base.entries import Entry
from mappings.schema.base.files import read_yaml
from mappings.schema.rules.criteria import Comparator

FINDING_FIELDS = frozenset({"title", "value", "limit", "day", "count", "when", "missing", "max_age"})
"""The fields that a sentence of a finding may use."""


class FindingWords(Entry):
    """The sentences for one comparison, by result."""

    met: str
    not_met: str
    unknown: str
    unsure: str = ""
    """Unknown despite evidence: a possible entry, or a number whose bounds straddle the limit."""
    old: str = ""
    """Unknown because the measurement is too old."""

    def titled(self, title: str) -> FindingWords:
        """The same sentences with ``{title}`` filled in."""
        return self.model_copy(update={key: template.replace("{title}", title) for key, template in self})

    @model_validator(mode="after")
    def _fields(self) -> Self:
        for key, template in self:
            for _, field, _, _ in Formatter().parse(template):
                if field is not None and field not in FINDING_FIELDS:
                    raise ValueError(f"{key}: no field {{{field}}}; there are {', '.join(sorted(FINDING_FIELDS))}")
        return self


class Wording(Entry):
    """All sentences; ``cards`` is read by the package that builds cards."""

    findings: dict[Comparator, FindingWords]
    entries: dict[str, str]
    """Notes on a piece of evidence, by key."""
    local: str
    """The addition to a finding that is based on a site's own number."""
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
