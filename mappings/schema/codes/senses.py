"""What one code, or one text, means for one topic."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Meaning(StrEnum):
    """What an active entry with such a code means for the topic."""

    CURRENT = "current"
    PAST = "past"
    POSSIBLE = "possible"
    """May apply: the code omits the deciding detail (the site of a device, the kind of a history)."""
    INSUFFICIENT = "insufficient"
    """Related, but not sufficient (``F32.A`` is not major depressive disorder)."""
    IGNORED = "ignored"
    """Known, and not informative about the topic."""


@dataclass(frozen=True, slots=True)
class Sense:
    """What one code means for one topic."""

    topic: str
    meaning: Meaning
    label: str
    read_in: frozenset[str]
    event: bool = False
    """Whether it is something that happened on a day."""
    permanent: bool = False
    """Whether an entry that has ended leaves it in place, as an injury of the brain leaves a scar."""
