"""The socket on which the service listens."""

from __future__ import annotations

import socket
from errno import EADDRINUSE

from cds_hooks.settings.mistakes import WrongSetting


class AddressInUse(WrongSetting):
    """Another program listens there, which may be the service itself."""


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; :class:`WrongSetting` if the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, ValueError) as fault:
        listener.close()
        raise _unusable(host, port, fault) from fault
    return listener


def take_calls(listener: socket.socket) -> None:
    """Let callers connect; :class:`WrongSetting` if another program was faster at the same address."""
    host, port = listener.getsockname()[:2]
    try:
        listener.listen()
    except OSError as fault:
        raise _unusable(host, port, fault) from fault


def _unusable(host: str, port: int, fault: Exception) -> WrongSetting:
    reason = fault.strerror if isinstance(fault, OSError) else "not a valid address"
    words = f"cannot listen on {host} port {port}: {reason}; choose another with --port"
    in_use = isinstance(fault, OSError) and fault.errno == EADDRINUSE
    return AddressInUse("port", words) if in_use else WrongSetting("host", words)
