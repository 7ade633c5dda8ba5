"""The normal form of a FHIR server's base URL."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx

from fhir_plugin.errors import BadInput

_BASE_URL = re.compile(
    r"https?://([a-z0-9.\-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(/[a-z0-9._~!$&'()*+,;=:\-]*)*", re.IGNORECASE
)


def normal_base_url(text: str) -> str:
    """The normal form of a base URL: lower-case host, no default port, no trailing slash.

    Raises BadInput for an invalid base URL, and for one that two parsers might interpret differently.
    """
    plain = text.strip()
    if not _BASE_URL.fullmatch(plain) or {".", ".."} & set(plain.split("/")):
        raise BadInput("the FHIR server must be given as http(s)://host[:port]/path, without user, query or fragment")
    try:
        _ = urlsplit(plain).port
        return str(httpx.URL(plain)).rstrip("/")
    except (httpx.InvalidURL, ValueError):
        raise BadInput("the FHIR server has an invalid host or port: give http(s)://host[:port]/path") from None
