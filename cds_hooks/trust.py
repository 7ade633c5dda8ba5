"""Which FHIR servers may be read on behalf of a caller.

A request names the server that the service is to call, so an attacker may name one too (a cloud's metadata address,
a neighbour's database). Only servers of the site's list are read, and those on loopback where the site allows it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from cds_hooks.settings import Settings, is_loopback


def may_read(server: str, settings: Settings) -> bool:
    """Whether the FHIR base URL ``server`` may be read: on the list, or on loopback where that is allowed."""
    try:
        parts = urlsplit(server)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return False
    if not host or parts.username or parts.password or parts.query or parts.fragment or "\\" in server:
        return False
    if settings.allow_loopback_fhir and parts.scheme in {"http", "https"} and is_loopback(host):
        return True
    return _normal(server) in {_normal(allowed) for allowed in settings.fhir_servers}


def _normal(server: str) -> str:
    """The address with scheme and host in lower case and no trailing slash; the path is left as it is."""
    parts = urlsplit(server)
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl().rstrip("/")
