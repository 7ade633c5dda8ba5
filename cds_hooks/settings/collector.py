"""The address of a collector of spans."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _collector_url(text: str) -> str:
    parts = urlsplit(text)
    _ = parts.port
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isascii() or not text.isprintable():
        raise ValueError("must be an http or https address")
    if "@" in parts.netloc or " " in text or "\\" in text or "?" in text or "#" in text:
        raise ValueError("must have neither user, query nor fragment; a password belongs in OTEL_EXPORTER_OTLP_HEADERS")
    return text.rstrip("/")


CollectorUrl = Annotated[str, AfterValidator(_collector_url)]
"""An http or https address without a final slash. Spans hold nothing of a patient, so http is allowed anywhere."""
