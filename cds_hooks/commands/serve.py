"""``tandem serve``: run the service."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cds_hooks.settings.settings import Settings, load_settings
from fhir_plugin.errors import BadInput

if TYPE_CHECKING:
    from cds_hooks.operation.accepting import Inlet
    from cds_hooks.operation.workers import WorkerPlace


def serve(
    config: Annotated[Path | None, typer.Option(help="Settings file, such as tandem.toml.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; loopback by default.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Number of processes that answer; 1 by default.")] = None,
    fhir_server: Annotated[list[str] | None, typer.Option(help="An https FHIR base URL that may be read.")] = None,
    allow_open: Annotated[
        bool | None, typer.Option("--allow-open", help="Listen beyond loopback without authenticating callers.")
    ] = None,
) -> None:
    """Start the CDS Hooks service."""
    path = config or (Path(os.environ["TANDEM_CONFIG"]) if "TANDEM_CONFIG" in os.environ else None)
    servers = tuple(fhir_server) if fhir_server else None
    run(load_settings(path, host=host, port=port, workers=workers, fhir_servers=servers, allow_open=allow_open))


def run(settings: Settings) -> None:
    """Serve until stopped.

    :raises BadInput: a setting is wrong, the address is in use, or it is reachable from other machines although
        callers are not authenticated.
    :raises NotStarted: a process could not start although the settings are in order.
    """
    refuse_open_address(settings)
    from cds_hooks.application.app import create_app
    from cds_hooks.memory.database import database_url
    from cds_hooks.memory.keys import check_site_key
    from cds_hooks.operation.server import WebServer
    from cds_hooks.operation.workers import Workers
    from cds_hooks.telemetry import logs
    from mappings.schema.load import load_knowledge

    with listen(settings.host, settings.port) as listener:
        # Nobody can connect before the whole configuration has been validated.
        check_site_key(settings, database_url(settings))
        if settings.workers == 1:
            app = create_app(settings, load_knowledge(site=settings.site))
            # A call that arrives before the service is up waits instead of being refused.
            listener.listen()
            logs.capture_process_logs()
            WebServer(app, settings, partial(_say_that_it_answers, settings, listener)).run(sockets=[listener])
        else:
            job = partial(_serve_as_worker, settings, _checked(settings))
            listener.listen()
            logs.capture_process_logs()
            workers = Workers(job, settings.workers, listener, settings.stop_seconds)
            workers.run(partial(_say_that_it_answers, settings, listener))


def _say_that_it_answers(settings: Settings, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    typer.echo(f"Tandem answers at http://{host}:{port}/cds-services ({access_summary(settings)})")


def _checked(settings: Settings) -> str:
    """The digest of the knowledge, once the whole configuration has been validated; what was loaded is let go."""
    from cds_hooks.application.app import check_app
    from mappings.schema.load import load_knowledge

    knowledge = load_knowledge(site=settings.site)
    check_app(settings, knowledge)
    return knowledge.digest


def _serve_as_worker(
    settings: Settings, digest: str, place: WorkerPlace, inlet: Inlet, answers: Callable[[], None]
) -> None:
    """What a worker does. It is given the settings; the environment may say something else by now."""
    from cds_hooks.application.app import create_app
    from cds_hooks.operation.server import WebServer
    from cds_hooks.telemetry import logs
    from mappings.schema.load import load_knowledge

    logs.configure(settings.log_level, settings.log_format)
    logs.capture_process_logs()
    knowledge = load_knowledge(site=settings.site)
    if knowledge.digest != digest:
        raise BadInput("the knowledge has changed since the service was started: start it again")
    WebServer(create_app(settings, knowledge, place=place), settings, answers, inlet).run(sockets=[])


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
