"""What an access token may ask for, by its SMART scopes: version 1 (``user/Observation.read``) and 2 (``.rs?...``).

Only what a scope plainly leaves out is not asked for. A scope for a part of a type gives a part of what there is, and
then absence means nothing.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

_SCOPE = re.compile(
    r"(?:patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]+)\.(?P<may>read|write|\*|c?r?u?d?s?)(?P<part>\?.*)?"
)

OUT_OF_SCOPE = "outside the scope of the access token"
PARTIAL_SCOPE = "the scope of the access token is for a part of it"
EXPIRED = "the access token has expired"
NOT_A_BEARER = "the access token is not for use as a bearer"
REFUSALS = frozenset({OUT_OF_SCOPE, PARTIAL_SCOPE, EXPIRED, NOT_A_BEARER})
"""Why something was not, or not wholly, asked for: told beside the gap, because the site can do something about it."""


class ScopeCoverage(Enum):
    """How much of a resource type may be asked for."""

    NOTHING = 0
    A_PART = 1
    ALL = 2


@lru_cache(maxsize=1_000)
def scope_coverage(scope: str, resource_type: str, *, search: bool) -> ScopeCoverage:
    """What ``scope`` says of reading that type, or of searching it; everything where it says nothing of any type."""
    named = [found for each in scope.split() if (found := _SCOPE.fullmatch(each))]
    if not named:
        return ScopeCoverage.ALL
    apply = [each for each in named if each["type"] in ("*", resource_type) and _permits(each["may"], search=search)]
    if not apply:
        return ScopeCoverage.NOTHING
    return ScopeCoverage.ALL if any(each["part"] is None for each in apply) else ScopeCoverage.A_PART


def _permits(given: str, *, search: bool) -> bool:
    return given in ("*", "read") or (given != "write" and ("s" if search else "r") in given)
