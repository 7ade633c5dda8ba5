"""The web server of one process: uvicorn, with the limits of the settings, and a word when it answers."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from cds_hooks.operation.connections import limited
from cds_hooks.protocol.errors import NotStarted
from cds_hooks.settings.settings import Settings


class WebServer(uvicorn.Server):
    """Asked to stop, it takes no new connections, closes idle ones, and waits ``stop_seconds`` for calls in flight."""

    def __init__(self, app: ASGIApp, settings: Settings, answers: Callable[[], None] | None = None) -> None:
        """``answers`` is called once: when the application has started and the socket is served."""
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
        self._answers = answers

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and serve the socket.

        :raises NotStarted: the application did not start.
        """
        try:
            await super().startup(sockets)
        except SystemExit:
            raise NotStarted("the application did not start; the log says why") from None
        if self._answers is not None:
            self._answers()
