"""The names of code systems, however a record writes them."""

from __future__ import annotations

import re
from functools import lru_cache

_PREFIXES = re.compile(r"^(?:https?://|urn:oid:|oid:)(?:www\.)?")


@lru_cache(maxsize=4096)
def system_key(address: str | None) -> str:
    """One key for a system: whatever the case, ``https``, ``www.``, a final slash, ``urn:oid:`` or a version."""
    if not address:
        return ""
    return _PREFIXES.sub("", address.strip().lower()).partition("|")[0].rstrip("/")
