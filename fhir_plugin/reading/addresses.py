"""Connections to checked addresses only: a name is resolved once, and the checked address is the one used."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

import httpcore


class AddressRefused(Exception):
    """The server name resolves to an address that no FHIR server may have."""


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """TCP connections to addresses that pass ``is_allowed``; otherwise the default backend."""

    def __init__(self) -> None:
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that accepts; raises AddressRefused if any of them is not allowed."""
        addresses = await _resolved(host, port)
        if not all(is_allowed(address, host) for address in addresses):
            raise AddressRefused
        failure: httpcore.ConnectError | httpcore.ConnectTimeout = httpcore.ConnectError("the name has no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


def is_allowed(address: IPv4Address | IPv6Address, host: str) -> bool:
    """Whether a server named ``host`` may have that address.

    Private networks are allowed, because hospitals run their servers there; the list of readable servers decides about
    them. Link-local addresses (cloud metadata services), multicast, unspecified and reserved ones are never allowed,
    and loopback only if the name itself is a loopback name.
    """
    plain = _unmapped(address)
    if plain.is_link_local or plain.is_multicast or plain.is_unspecified:
        return False
    if plain.is_loopback:
        return is_loopback(host)
    return not plain.is_reserved


def is_confidential(url: str) -> bool:
    """Whether data sent to a URL is confidential: https, or http on this machine."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc or "\\" in url or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def is_loopback(host: str) -> bool:
    """Whether a host name or address denotes this machine; a name other than ``localhost`` never does."""
    literal = _literal(host)
    return host.lower() == "localhost" if literal is None else _unmapped(literal).is_loopback


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


async def _resolved(host: str, port: int) -> list[IPv4Address | IPv6Address]:
    literal = _literal(host)
    if literal is not None:
        return [literal]
    try:
        addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError("the name cannot be resolved") from error
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in addresses]
