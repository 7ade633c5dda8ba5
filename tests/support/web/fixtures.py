"""A browser, and the service as ``tandem demo`` starts it, for all tests of a session."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright
from pydantic import SecretStr
from starlette.types import ASGIApp

from cds_hooks.application.app import create_app
from cds_hooks.demo.server import fhir_server
from cds_hooks.demo.stories import demo_patients
from cds_hooks.settings.settings import Settings
from tests.support.shipped import shipped

DAY = date(2026, 11, 21)
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MILLISECONDS = 30_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with a fresh profile; without one the tests are skipped, and say so.

    Of one file only: while it runs, its driver holds an event loop of this thread, which other tests start themselves.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed: the pages were not tested in a browser")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield started
        started.close()


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The application on loopback, in a thread, as its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False))
        # Signals belong to the main thread; this server ends when it is told to.
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service with its sandbox, beside a FHIR server that holds the demo patients."""
    with fhir_server(demo_patients(DAY)) as fhir:
        database = SecretStr(f"sqlite:///{tmp_path_factory.mktemp('memory')}/memory.sqlite")
        settings = Settings(sandbox=True, deadline_seconds=30, database=database, quiet_days=0)
        with served(create_app(settings, shipped(), today=lambda: DAY, demo_fhir=fhir)) as address:
            yield address


@dataclass
class Watched:
    """A page, and everything about it that should not happen."""

    page: Page
    origin: str
    faults: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note errors on the console, errors of scripts, dialogs, and requests to anywhere else."""
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        self.page.on("request", self._request)
        self.page.on("dialog", lambda dialog: (self.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:")):
            self.faults.append(f"request: {request.url}")


def context_of(browser: Browser, scheme: str = "light", width: int = 1280, *, scripts: bool = True) -> BrowserContext:
    """A fresh context of the browser."""
    context = browser.new_context(
        viewport={"width": width, "height": 1000},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=scripts,
    )
    context.set_default_timeout(MILLISECONDS)
    return context


@contextmanager
def watched(
    browser: Browser, origin: str, scheme: str = "light", width: int = 1280, *, scripts: bool = True
) -> Iterator[Watched]:
    """A page in a context of its own, about which nothing untoward may be seen by the time that it is closed."""
    context = context_of(browser, scheme, width, scripts=scripts)
    seen = Watched(context.new_page(), origin)
    seen.watch()
    yield seen
    context.close()
    assert seen.faults == []
