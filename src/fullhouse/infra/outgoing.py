"""How addresses that strangers chose are reached: the name server and the connection. Tests swap them.

Neither decides anything: who calls checks the addresses in between, and connects to one of those.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Returns the addresses of a name, best first. Raises ``OSError`` where there are none."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

Connect = Callable[[Address, int, str], Awaitable[Streams]]
"""Connects to this very address and port by TLS, with the name for SNI and for the certificate. Raises ``OSError``."""

Monotonic = Callable[[], float]

READ_BYTES_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Outside:
    """The two ways out, and a clock for durations."""

    resolve: Resolve
    connect: Connect
    monotonic: Monotonic = time.monotonic


def open_outside(trust: ssl.SSLContext | None = None) -> Outside:
    """Return the real ones. ``trust`` says which certificates are good; by default those of the system."""
    context = trust or ssl.create_default_context()

    async def connect(address: Address, port: int, host: str) -> Streams:
        return await asyncio.open_connection(
            str(address), port, ssl=context, server_hostname=host, limit=READ_BYTES_MAX
        )

    return Outside(resolve_by_system, connect)


async def resolve_by_system(host: str, port: int) -> Sequence[Address]:
    """Ask the system's resolver once. Addresses with a scope of this machine count as they are, and are refused."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    addresses = [ip_address(str(entry[4][0])) for entry in found]
    return list(dict.fromkeys(addresses))
