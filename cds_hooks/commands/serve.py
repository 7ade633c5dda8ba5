"""``tandem serve``: run the service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

    from mappings.schema.load import Knowledge

from cds_hooks.settings.settings import Settings, named_file
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
    from cds_hooks.starting.checks import check_start

    file = config or named_file()
    servers = tuple(fhir_server) if fhir_server else None
    # Nobody can connect before the whole configuration has been checked.
    run(*check_start(file, host=host, port=port, fhir_servers=servers, allow_open=allow_open).ready(), file)


def run(settings: Settings, knowledge: Knowledge, file: Path | None = None, announce: bool = True) -> None:
    """Serve until stopped; ``file`` is where the settings are from.

    :raises BadInput: the address is in use, or what was checked has changed since.
    """
    from cds_hooks.application.app import create_app
    from cds_hooks.starting.announcement import log_start
    from cds_hooks.starting.listening import listen, take_calls
    from cds_hooks.telemetry import logs

    logs.configure(settings.log_level, settings.log_format)
    logs.capture_process_logs()
    with listen(settings.host, settings.port) as listener:
        app = create_app(settings, knowledge)
        # A call that arrives before the service is up waits instead of being refused.
        take_calls(listener)
        host, port = listener.getsockname()[:2]
        log_start(settings, knowledge, (host, port), file)
        if announce:
            typer.echo(f"Tandem answers at http://{host}:{port}/cds-services ({access_summary(settings)})")
        server = web_server(app, settings)
        try:
            server.run(sockets=[listener])
        except SystemExit:  # the web server ends the process if the start fails, and does not say why
            raise BadInput(getattr(app.state, "start_fault", "the service did not start: its log says why")) from None


def web_server(app: ASGIApp, settings: Settings, **options: Any) -> uvicorn.Server:
    """The web server with the limits of the settings; ``options`` are further ones of uvicorn's."""
    import uvicorn

    from cds_hooks.operation.connections import limited

    config = uvicorn.Config(
        app, http=limited(settings), ws="none", log_config=None, access_log=False, server_header=False, **options
    )
    return uvicorn.Server(config)


def access_summary(settings: Settings) -> str:
    """Who may call, in a few words."""
    if settings.open:
        return "open: callers are not authenticated"
    return ", ".join(f"{client.name}: {client.mode}" for client in settings.clients)
