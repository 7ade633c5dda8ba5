"""The rules by which a word of a text may be the name of a person, as data: ``kept_text.yaml``."""

from __future__ import annotations

from pydantic import Field

from mappings.schema.base.entries import Entry, Number, Pattern, Reviewed, Verification


class Ordinary(Entry):
    """Where a word that is also a name stands with its ordinary meaning."""

    after: tuple[str, ...] = ()
    """Directly behind one of these words; ``#`` is a number."""
    before: tuple[str, ...] = ()
    """Directly before one of these."""


class KeptText(Reviewed):
    """What of a text is kept when a call is stored, beyond the words of the other files."""

    source: str
    verification: Verification
    oldest: Number
    """The highest age that is kept; a higher one is written as this one with a plus."""
    words: frozenset[str]
    """Words that patterns match and do not spell out."""
    inflections: frozenset[str]
    """What may follow any beginning of a word."""
    endings: frozenset[str]
    """What may follow one of six letters or more."""
    prefixes: tuple[str, ...]
    """What may stand before it."""
    ordinary: dict[str, Ordinary]
    """Words of ``also_names``, and single letters, and where they are no name."""
    lists: tuple[frozenset[str], ...]
    """Words that are no names where another of the same kind stands before or behind a comma, ``and`` or ``or``."""
    alone: frozenset[str]
    """Words that are no names where they are the whole text."""
    units: frozenset[str]
    """What may follow a number, beyond the units of a dose and the periods of a sig."""
    shapes: tuple[Pattern, ...] = Field(min_length=1)
    """Letters with digits that are a dose, a time or a code, in lower case."""
    months: frozenset[str]
    """A number beside one of these is a date."""
    titles: frozenset[str]
    """What stands before a name; the next word goes, whatever it is."""
    title_parts: frozenset[str]
    """What may stand between a title and the name, as part of the title."""
    particles: frozenset[str]
    """What may stand between a title and the name."""
    also_names: frozenset[str]
    """Words of the knowledge that are also names of people."""

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """The words of ``ordinary`` with what stands before and behind them."""
        behind = {(other, word) for word, where in self.ordinary.items() for other in where.after}
        return frozenset(behind | {(word, other) for word, where in self.ordinary.items() for other in where.before})
