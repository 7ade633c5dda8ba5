"""The web server of one process: uvicorn, with the limits of the settings, and a word when it answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from cds_hooks.operation.accepting import OPEN, Inlet
from cds_hooks.operation.connections import limited
from cds_hooks.protocol.errors import NotStarted
from cds_hooks.settings.settings import Settings
from fhir_plugin.errors import BadInput


class WebServer(uvicorn.Server):
    """Asked to stop, it takes no new connections, closes idle ones, and waits ``stop_seconds`` for calls in flight."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        answers: Callable[[], None] | None = None,
        inlet: Inlet | None = None,
    ) -> None:
        """``answers`` is called once: when the application has started and connections are served.

        ``inlet`` is there where connections are accepted elsewhere.
        """
        super().__init__(
            uvicorn.Config(
                app,
                http=limited(settings),
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=settings.stop_seconds,
            )
        )
        self._app, self._answers, self._inlet = app, answers, inlet
        self._taking: set[asyncio.Task[object]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and serve connections.

        :raises BadInput: the application says what it cannot start with.
        :raises NotStarted: it did not start for another reason.
        """
        try:
            await super().startup(sockets)
        except SystemExit:  # it has only logged that something failed
            state = getattr(self._app, "state", None)
            if fault := getattr(state, "start_fault", None):
                raise BadInput(fault) from None
            raise NotStarted("the application did not start; the log says why") from None
        if self._inlet is not None:
            self._inlet.listen(self._take)
        if self._answers is not None:
            self._answers()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connections, finish the calls in flight, and stop the application."""
        if self._inlet is not None:
            self._inlet.close()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to stop."""
        if self._inlet is not None:
            self._inlet.tally[OPEN] = len(self.server_state.connections) + len(self._taking)
        return await super().on_tick(counter)

    def _take(self, connection: socket.socket) -> None:
        task: asyncio.Task[object] = asyncio.create_task(self._serve_one(connection))
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)

    async def _serve_one(self, connection: socket.socket) -> None:
        protocol: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: protocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state),
            connection,
        )
