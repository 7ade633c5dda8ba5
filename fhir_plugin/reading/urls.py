"""URLs of FHIR servers: the normal form of a base URL, and how what is sent is encoded.

It is percent-encoded beyond what RFC 3986 demands, because servers differ in what they bear. A stock Tomcat answers 400
to a raw ``|``; a proxy that tidies paths makes one slash of the ``//`` in ``code=http://loinc.org|8480-6``, and the
search then finds nothing, with status 200.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx

from fhir_plugin.errors import BadInput

_BASE_URL = re.compile(
    r"https?://([a-z0-9.\-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(/[a-z0-9._~!$&'()*+,;=:\-]*)*", re.IGNORECASE
)
_PARTS = re.compile(r"([a-z][a-z0-9+.-]*://[^/?]*)?([^?]*)(\??)(.*)", re.IGNORECASE | re.DOTALL)
_PATH = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]")
_QUERY = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~&=+%]")


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


def encoded(url: str) -> str:
    """The URL with everything in its query encoded but names, ``&``, ``=``, ``+`` and what is encoded already.

    In its path only what RFC 3986 does not allow there is encoded.
    """
    parts = _PARTS.fullmatch(url)
    if parts is None:
        return url
    root, path, mark, query = parts.groups("")
    return f"{root}{_PATH.sub(_escape, path)}{mark}{_QUERY.sub(_escape, query)}"


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode())
