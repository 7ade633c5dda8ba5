"""The process that is the local FHIR server: a script that :mod:`cds_hooks.demo.server` starts.

It prints the port on which it listens and serves until its standard input ends. Whoever started it holds the other end
of that pipe, so it ends with its parent, however the parent ends.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading

_HOST = "127.0.0.1"
_BACKLOG = 64


def main() -> None:
    """Serve on the port that the first argument names; 0 picks a free one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, int(sys.argv[1])))
        # Listening before the slow import: an early client waits instead of being refused.
        listener.listen(_BACKLOG)
    except OSError as fault:
        sys.exit(str(fault.strerror))
    print(listener.getsockname()[1], flush=True)
    serve(listener)


def serve(listener: socket.socket) -> None:
    """Run an empty in-memory FHIR R4 server on the socket until standard input ends; strict about request lines."""
    import uvicorn
    from sekmet.config import Settings
    from sekmet.main import create_app

    from cds_hooks.demo.strictness import strict

    settings = Settings.model_validate(
        {
            "base_url": f"http://{_HOST}:{listener.getsockname()[1]}/fhir",
            "host": _HOST,
            "db_path": ":memory:",
            "log_inbound": False,
            "simulator": {"enabled": False},
        }
    )
    app = create_app(settings)
    logging.disable(logging.INFO)
    server = uvicorn.Server(
        uvicorn.Config(strict(app), log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    )

    def watch() -> None:
        sys.stdin.buffer.read()
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
