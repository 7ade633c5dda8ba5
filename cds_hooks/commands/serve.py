"""``tandem serve``: run the service."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

from cds_hooks.settings.settings import Settings, load_settings
from fhir_plugin.errors import BadInput


def serve(
    config: Annotated[Path | None, typer.Option(help="Settings file, such as tandem.toml.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; loopback by default.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks a free one.")] = None,
    fhir_server: Annotated[list[str] | None, typer.Option(help="An https FHIR base URL that may be read.")] = None,
    allow_open: Annotated[
        bool | None, typer.Option("--allow-open", help="Listen beyond loopback without authenticating callers.")
    ] = None,
) -> None:
    """Start the CDS Hooks service."""
    path = config or (Path(os.environ["TANDEM_CONFIG"]) if "TANDEM_CONFIG" in os.environ else None)
    servers = tuple(fhir_server) if fhir_server else None
    run(load_settings(path, host=host, port=port, fhir_servers=servers, allow_open=allow_open))


def run(settings: Settings, announce: bool = True) -> None:
    """Serve until stopped.

    :raises BadInput: a setting is wrong, the address is in use, or it is reachable from other machines although
        callers are not authenticated.
    """
    refuse_open_address(settings)
    from cds_hooks.application.app import create_app
    from cds_hooks.clients.knowledge_in_use import load_common
    from cds_hooks.memory.keys import check_site_key
    from cds_hooks.settings.database import database_url
    from cds_hooks.telemetry import logs

    with listen(settings.host, settings.port) as listener:
        # Nobody can connect before the whole configuration has been validated.
        check_site_key(settings, database_url(settings))
        app = create_app(settings, load_common(settings))
        # A call that arrives before the service is up waits instead of being refused.
        listener.listen()
        if announce:
            host, port = listener.getsockname()[:2]
            typer.echo(f"Tandem answers at http://{host}:{port}/cds-services ({access_summary(settings)})")
        logs.capture_process_logs()
        web_server(app, settings).run(sockets=[listener])


def web_server(app: ASGIApp, settings: Settings, **options: Any) -> uvicorn.Server:
    """The web server with the limits of the settings; ``options`` are further ones of uvicorn's."""
    import uvicorn

    from cds_hooks.operation.connections import limited

    config = uvicorn.Config(
        app, http=limited(settings), ws="none", log_config=None, access_log=False, server_header=False, **options
    )
    return uvicorn.Server(config)


def refuse_open_address(settings: Settings) -> None:
    """:class:`BadInput` if anyone on another machine could call, unless ``allow_open`` permits it."""
    if settings.open and settings.listens_beyond_loopback and not settings.allow_open:
        raise BadInput(
            f"refusing to listen on {settings.host}: callers are not authenticated; configure [[clients]], "
            "or put an authenticating proxy in front and start with --allow-open"
        )


def access_summary(settings: Settings) -> str:
    """Who may call, in a few words."""
    if settings.open:
        return "open: callers are not authenticated"
    return ", ".join(f"{client.name}: {client.mode}" for client in settings.clients)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; :class:`BadInput` if the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, ValueError) as fault:
        listener.close()
        reason = fault.strerror if isinstance(fault, OSError) else "not a valid address"
        raise BadInput(f"cannot listen on {host} port {port}: {reason}; choose another with --port") from fault
    return listener
