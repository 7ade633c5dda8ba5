"""The addresses that monitoring asks: always answered, whoever asks and whatever else there is to do."""

from __future__ import annotations

from starlette.types import Scope

HEALTH, READINESS, METRICS = "/healthz", "/readyz", "/metrics"
_PROBES = frozenset({HEALTH, READINESS, METRICS})


def is_probe(scope: Scope) -> bool:
    """Whether a request is for one of them."""
    return scope["path"] in _PROBES
