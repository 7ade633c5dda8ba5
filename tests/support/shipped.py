"""The knowledge that ships, read once in each process, and YAML files that stand beside it or beside a test."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mappings.schema.load import Knowledge, load_knowledge

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def shipped() -> Knowledge:
    """The whole of it; no test changes it."""
    return load_knowledge()


@cache
def load_yaml(path: Path) -> Any:
    """The content of a file, parsed once: who changes it takes a copy."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader
