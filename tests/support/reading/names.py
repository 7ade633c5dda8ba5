"""Names of hosts that resolve to what a test says."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name lead to those addresses; the list says which names were asked for."""
    asked: list[str] = []

    async def answer(self: object, host: str, port: int, **more: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", answer)
    return asked
