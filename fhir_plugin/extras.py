"""What is installed by an extra of the distribution only, and the one line where it is missing."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import NamedTuple

from fhir_plugin.errors import MissingExtra

DISTRIBUTION = "tandem-cds"


class Extra(NamedTuple):
    """An extra of ``pyproject.toml``: what needs it, and the modules that it brings."""

    name: str
    needed_for: str
    modules: tuple[str, ...]

    @property
    def installed(self) -> bool:
        """Whether every module can be imported; none is imported to find out."""
        return all(map(_is_there, self.modules))

    def require(self) -> None:
        """:class:`MissingExtra` where it is not installed."""
        if not self.installed:
            raise MissingExtra(
                f"{self.needed_for} needs packages that are not installed: pip install '{DISTRIBUTION}[{self.name}]'"
            )


DEMO = Extra("demo", "the demo", ("sekmet",))
DRAWING = Extra("drawing", "drawing a picture", ("altair", "vl_convert"))
POSTGRESQL = Extra("postgresql", "a PostgreSQL database", ("asyncpg",))
REDIS = Extra("redis", "a replay store in Redis", ("redis",))
TELEMETRY = Extra("telemetry", "sending spans", ("opentelemetry.sdk", "opentelemetry.exporter"))


def _is_there(module: str) -> bool:
    if module in sys.modules:
        return sys.modules[module] is not None
    return find_spec(module) is not None
