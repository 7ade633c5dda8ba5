"""``tandem serve``: run the service."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cds_hooks.settings.settings import Settings, named_file
from fhir_plugin.errors import BadInput

if TYPE_CHECKING:
    from cds_hooks.clients.knowledge_in_use import KnowledgeInUse
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
    from cds_hooks.starting.checks import check_start

    file = config or named_file()
    servers = tuple(fhir_server) if fhir_server else None
    # Nobody can connect before the whole configuration has been checked.
    checked = check_start(file, host=host, port=port, workers=workers, fhir_servers=servers, allow_open=allow_open)
    run(*checked.ready(), file)


def run(settings: Settings, knowledge: KnowledgeInUse, file: Path | None = None) -> None:
    """Serve until stopped; ``file`` is where the settings are from.

    :raises BadInput: the address is in use, or what was checked has changed since.
    :raises NotStarted: a process could not start although the settings are in order.
    """
    from cds_hooks.starting.announcement import log_start
    from cds_hooks.starting.listening import listen
    from cds_hooks.telemetry import logs

    logs.configure(settings.log_level, settings.log_format)
    logs.capture_process_logs()
    with listen(settings.host, settings.port) as listener:
        host, port = listener.getsockname()[:2]
        log_start(settings, knowledge.common, (host, port), file)
        answers = partial(_say_that_it_answers, settings, host, port)
        (_serve_alone if settings.workers == 1 else _serve_with_workers)(settings, knowledge, listener, answers)


def _say_that_it_answers(settings: Settings, host: str, port: int) -> None:
    typer.echo(f"Tandem answers at http://{host}:{port}/cds-services ({access_summary(settings)})")


def _serve_alone(
    settings: Settings, knowledge: KnowledgeInUse, listener: socket.socket, answers: Callable[[], None]
) -> None:
    from cds_hooks.application.app import create_app
    from cds_hooks.operation.server import WebServer
    from cds_hooks.starting.listening import take_calls

    app = create_app(settings, knowledge)
    # A call that arrives before the service is up waits instead of being refused.
    take_calls(listener)
    WebServer(app, settings, answers).run(sockets=[listener])


def _serve_with_workers(
    settings: Settings, knowledge: KnowledgeInUse, listener: socket.socket, answers: Callable[[], None]
) -> None:
    from cds_hooks.operation.workers import Workers
    from cds_hooks.starting.listening import take_calls

    job = partial(_serve_as_worker, settings, knowledge.digest)
    take_calls(listener)
    Workers(job, settings.workers, listener, settings.stop_seconds).run(answers)


def _serve_as_worker(
    settings: Settings, digest: str, place: WorkerPlace, inlet: Inlet, answers: Callable[[], None]
) -> None:
    """What a worker does. It is given the settings; the environment may say something else by now."""
    from cds_hooks.application.app import create_app
    from cds_hooks.clients.knowledge_in_use import load_common, load_in_use
    from cds_hooks.operation.server import WebServer
    from cds_hooks.telemetry import logs

    logs.configure(settings.log_level, settings.log_format)
    logs.capture_process_logs()
    knowledge = load_in_use(settings, load_common(settings))
    if knowledge.digest != digest:
        raise BadInput("the knowledge has changed since the service was started: start it again")
    WebServer(create_app(settings, knowledge, place=place), settings, answers, inlet).run(sockets=[])


def access_summary(settings: Settings) -> str:
    """Who may call, in a few words."""
    if settings.open:
        return "open: callers are not authenticated"
    return ", ".join(f"{client.name}: {client.mode}" for client in settings.clients)
