"""Settings files of a site."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[3] / "tandem.example.toml"


def as_toml(value: Any) -> str:
    """A value as TOML writes it; ``None`` has no place there and becomes a text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {as_toml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps("null" if value is None else value)
