"""What an access token permits, by its SMART scopes: version 1 (``user/Observation.read``) and 2 (``.rs?...``).

A query is omitted only if the scopes clearly exclude it. A scope for a part of a resource type returns a part of the
data, so absence from it proves nothing.
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
"""Why something was not, or not wholly, requested: shown with the gap, because the site can do something about it."""


class ScopeCoverage(Enum):
    """How much of a resource type may be requested."""

    NOTHING = 0
    A_PART = 1
    ALL = 2


@lru_cache(maxsize=1_000)
def scope_coverage(scope: str, resource_type: str, *, search: bool) -> ScopeCoverage:
    """How much of that type ``scope`` lets a client read, or search; everything if it contains no resource scope."""
    matches = [match for text in scope.split() if (match := _SCOPE.fullmatch(text))]
    if not matches:
        return ScopeCoverage.ALL
    granted = [
        match for match in matches if match["type"] in ("*", resource_type) and _permits(match["may"], search=search)
    ]
    if not granted:
        return ScopeCoverage.NOTHING
    return ScopeCoverage.ALL if any(match["part"] is None for match in granted) else ScopeCoverage.A_PART


def _permits(permissions: str, *, search: bool) -> bool:
    return permissions in ("*", "read") or (permissions != "write" and ("s" if search else "r") in permissions)
