"""One address for one code system, however a server writes it: https, a slash at the end, an OID, capitals."""

from __future__ import annotations

from functools import lru_cache

_OIDS = {
    "2.16.840.1.113883.6.1": "http://loinc.org",
    "2.16.840.1.113883.6.96": "http://snomed.info/sct",
}
"""Source: terminology.hl7.org, the identifiers of each code system."""
_HOSTS = {"loinc.org": "http://loinc.org", "loinc": "http://loinc.org", "snomed.info/sct": "http://snomed.info/sct"}
_MANY = 512


@lru_cache(maxsize=_MANY)
def plain_system(system: str | None) -> str | None:
    """The canonical address of LOINC and SNOMED CT; any other system as it is written."""
    if system is None:
        return None
    text = system.strip().lower().removeprefix("urn:oid:").rstrip("/")
    if text in _OIDS:
        return _OIDS[text]
    return _HOSTS.get(text.removeprefix("https://").removeprefix("http://").removeprefix("www."), system)
