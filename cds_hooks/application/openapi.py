"""The published description of what the service offers over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cds_hooks.protocol.responses import Discovery

FILE = Path(__file__).with_name("openapi.yaml")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def describe(offered: Discovery) -> dict[str, Any]:
    """The OpenAPI document, with the ids of the services that are offered."""
    text = FILE.read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    document["components"]["parameters"]["service"]["schema"] = {"enum": [service.id for service in offered.services]}
    return document
