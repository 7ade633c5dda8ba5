"""What is said once, when the service starts: which version, with which knowledge and settings, for whom."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from pathlib import Path

from cds_hooks.settings.settings import Settings
from cds_hooks.telemetry.logs import log
from fhir_plugin.extras import DISTRIBUTION
from mappings.schema.load import Knowledge


def log_start(settings: Settings, knowledge: Knowledge, address: tuple[str, int], file: Path | None) -> None:
    """One line in the log; ``address`` is that of the socket, ``file`` that of the settings."""
    host, port = address
    log.info(
        "the service starts",
        version=version(DISTRIBUTION),
        knowledge=knowledge.short_digest,
        settings=str(file.absolute()) if file else None,
        address=f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}",
        clients=len(settings.clients),
        modes=Counter(client.mode for client in settings.clients),
    )
