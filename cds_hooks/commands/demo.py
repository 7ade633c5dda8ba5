"""``tandem demo``: the service with a FHIR server that holds twelve synthetic patients."""

from __future__ import annotations

import os
import signal
import sys
import webbrowser
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from cds_hooks.demo.calls import curl, ketamine_order, order_sign, patient_view
from cds_hooks.demo.stories import DemoPatient
from cds_hooks.starting.listening import listen

if TYPE_CHECKING:
    import uvicorn

_WITH_SCREENS = ("darwin", "win32")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
READY, CONTRAINDICATED = "two-failures", "uncontrolled-hypertension"


def demo(
    port: Annotated[int, typer.Option(help="Port of the service; 0 picks a free one.")] = 8000,
    fhir_port: Annotated[int, typer.Option(help="Port of the FHIR server; 0 picks a free one.")] = 8090,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no page in a browser.")] = False,
) -> None:
    """Start the service and a local FHIR server with synthetic patients, and print calls to try."""
    from cds_hooks.application.app import create_app
    from cds_hooks.clients.knowledge_in_use import load_common
    from cds_hooks.demo.ehr import CLIENT_ID, demo_ehr
    from cds_hooks.demo.server import fhir_server
    from cds_hooks.demo.stories import demo_patients
    from cds_hooks.operation.server import WebServer
    from cds_hooks.protocol.clock import today
    from cds_hooks.settings.settings import load_settings
    from cds_hooks.telemetry import logs

    with (
        _exit_on_signals(),
        TemporaryDirectory(prefix="tandem-memory-") as kept,
        listen("127.0.0.1", port) as listener,
    ):
        day = today()
        patients = demo_patients(day)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with fhir_server(patients, fhir_port) as fhir, demo_ehr(fhir, f"{address}/smart/callback") as ehr:
            entry = {"name": "demo", "title": "The EHR of the demo", "issuer": ehr.issuer, "client_id": CLIENT_ID}
            settings = load_settings(
                # Any web page may try the demo; it gets at these two servers and at no other on this machine.
                allowed_origins=("*",),
                allow_loopback_fhir=False,
                fhir_servers=(fhir, ehr.issuer),
                log_level="warning",
                stop_seconds=1,
                sandbox=True,
                database=f"sqlite:///{kept}/memory.sqlite",
                public_url=address,
                smart=(entry,),
            )
            knowledge = load_common(settings)
            app = create_app(settings, knowledge, demo_fhir=fhir)
            # A call that arrives before the service is up waits instead of being refused.
            listener.listen()
            ids: dict[str, str] = {offered.hook: offered.id for offered in knowledge.services.services}
            logs.capture_process_logs()
            server = WebServer(app, settings)
            _signals_stop_server(server)
            launch = f"{address}/smart/launch?iss={ehr.issuer}&launch={READY}"
            typer.echo("\n".join(greeting(f"{address}/cds-services", fhir, ids, patients, day, launch)))
            if not no_browser and _has_screen():
                webbrowser.open(f"{address}/sandbox")
            server.run(sockets=[listener])
    typer.echo("Stopped.", err=True)


def greeting(
    service: str, fhir: str, ids: Mapping[str, str], patients: Iterable[DemoPatient], as_of: date, launch: str
) -> Iterator[str]:
    """What the terminal shows: addresses, patients, three calls to paste, and what to do next."""
    yield f"Tandem answers at {service}"
    yield f"Synthetic patients, as of {as_of.isoformat()}, are on the FHIR server at {fhir}:"
    yield from (f"  {patient.id:30} {patient.title}" for patient in patients)
    yield f"\nTry calls in a browser: {_sandbox(service)}"
    yield f"Open the app in a chart: {launch}"
    yield "\nWhat the service offers:"
    yield curl(service)
    yield "\nA chart is opened; the service reads the record from the FHIR server:"
    yield curl(f"{service}/{ids['patient-view']}", patient_view(READY, fhir))
    yield "\nKetamine is about to be signed for a patient whose blood pressure is not controlled:"
    order = order_sign(CONTRAINDICATED, fhir, ketamine_order(CONTRAINDICATED))
    yield curl(f"{service}/{ids['order-sign']}", order)
    table = f"{_command_name()} assess --fhir {fhir} --patient {READY}"
    yield f"\nNext, in another terminal: {table} shows the same as a table. Ctrl-C stops everything."


def _sandbox(service: str) -> str:
    return f"{service.removesuffix('/cds-services')}/sandbox"


def _has_screen() -> bool:
    """Whether a browser would open a window instead of taking over this terminal."""
    return sys.platform in _WITH_SCREENS or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _command_name() -> str:
    """This command as the user typed it, such as ``.venv/bin/tandem``."""
    return sys.argv[0] if Path(sys.argv[0]).name == "tandem" else "tandem"


@contextmanager
def _exit_on_signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM leave this block without an error; the previous handlers are restored."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signals_stop_server(server: uvicorn.Server) -> None:
    """From now on signals ask the server to stop: an exception during its start-up would leave it half started."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    for number in _SIGNALS:
        signal.signal(number, stop)
