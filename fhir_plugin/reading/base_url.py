"""One way to write the base URL of a FHIR server."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx

from fhir_plugin.errors import BadInput

_BASE_URL = re.compile(
    r"https?://([a-z0-9.\-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(/[a-z0-9._~!$&'()*+,;=:\-]*)*", re.IGNORECASE
)


def normal_base_url(text: str) -> str:
    """One way to write a base URL: lower-case host, no default port, no trailing slash.

    Raises BadInput for what cannot be one, and for what two readers might read as two different addresses.
    """
    plain = text.strip()
    if not _BASE_URL.fullmatch(plain) or {".", ".."} & set(plain.split("/")):
        raise BadInput("the FHIR server must be given as http(s)://host[:port]/path, without user, query or fragment")
    try:
        _ = urlsplit(plain).port
        return str(httpx.URL(plain)).rstrip("/")
    except (httpx.InvalidURL, ValueError):
        raise BadInput("the FHIR server is given with a host or port that cannot be") from None
