"""Requests to the local FHIR server."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit


def get(base_url: str, path: str) -> Any:
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.request("GET", f"{address.path}/{path}")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
