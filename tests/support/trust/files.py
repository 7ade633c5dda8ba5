"""Settings files of a site."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.trust.signing import key_set

EXAMPLE = Path(__file__).parents[3] / "tandem.example.toml"


def as_toml(value: Any) -> str:
    """A value as TOML writes it; ``None`` has no place there and becomes a text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {as_toml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps("null" if value is None else value)


def file_with(folder: Path, top: str = "", **changes: Any) -> Path:
    """A file with one client, changed; ``...`` takes a key away."""
    members: dict[str, Any] = {
        "name": "general",
        "issuer": "https://ehr.example",
        "key_set": key_set("ec-1"),
        "audience_base": "https://tandem.example",
        "mode": "live",
    } | changes
    lines = [f"{name} = {as_toml(value)}" for name, value in members.items() if value is not ...]
    file = folder / "tandem.toml"
    file.write_text("\n".join([top, "[[clients]]", *lines]))
    return file
