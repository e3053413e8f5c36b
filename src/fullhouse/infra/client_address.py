"""From which address a request comes, when proxies stand in front. Pure.

Every proxy adds to the right of what it was sent, and what is left of the last proxy that we trust was written by
anybody. So the list is read from the right, and only as long as the hop that wrote an entry is trusted.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Headers = Sequence[tuple[bytes, bytes]]

HOPS_MAX = 32
PEERS_MAX = 10_000
SUBNET_BITS = 64
"""One subscriber of IPv6 has at least so large a network, and counts as one."""


class Proxies:
    """The proxies that we trust, and the one header in which they tell where a request came from."""

    def __init__(self, trusted: Sequence[Network], header: str = "x-forwarded-for") -> None:
        """Take networks, and ``x-forwarded-for`` or ``forwarded``: a proxy sets one and passes the other on unread."""
        self._trusted = tuple(trusted)
        self._header = header.encode()
        self.read_peer = lru_cache(PEERS_MAX)(self._read_peer)
        """Return the address of a peer as it is written, and whether it is a trusted proxy."""

    def _read_peer(self, peer: str) -> tuple[str, bool]:
        address = read_address(peer)
        return (peer, False) if address is None else (str(address), self._trusts(address))

    def find_client(self, peer: str, headers: Headers) -> str:
        """Return the address of the client: that of the peer, unless it is a trusted proxy that tells of another."""
        written, is_trusted = self.read_peer(peer)
        address = read_address(peer)
        if address is None or not is_trusted:
            return written
        for hop in reversed(self._hops(headers)):
            told = read_address(hop)
            if told is None:
                break
            address = told
            if not self._trusts(address):
                break
        return str(address)

    def find_scheme(self, peer: str, scheme: str, headers: Headers) -> str:
        """Return how the client reached the last trusted proxy, where it tells so; else how it reached us."""
        if not self.read_peer(peer)[1]:
            return scheme
        told = [value.decode("latin-1").rpartition(",")[2].strip().lower() for name, value in headers if name == _PROTO]
        return told[-1] if told and told[-1] in {"http", "https"} else scheme

    def _trusts(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._trusted)

    def _hops(self, headers: Headers) -> list[str]:
        lines = [value.decode("latin-1") for name, value in headers if name == self._header]
        entries = ",".join(lines).split(",")[-HOPS_MAX:]
        return [_for_of(entry) for entry in entries] if self._header == b"forwarded" else entries


_PROTO = b"x-forwarded-proto"


def _for_of(element: str) -> str:
    """Return the node of ``for=`` in an element of ``Forwarded`` (RFC 7239), or an empty text."""
    for pair in element.split(";"):
        name, equals, value = pair.partition("=")
        if equals and name.strip().lower() == "for":
            return value.strip().strip('"')
    return ""


@lru_cache(maxsize=10_000)
def read_address(text: str) -> Address | None:
    """Read an address, with a port or without; one of IPv4 inside IPv6 is one of IPv4. None if it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=10_000)
def network_of(client: str) -> str:
    """Return what counts as one client: an address of IPv4, a /64 of IPv6, or the text itself if it is neither."""
    address = read_address(client)
    if isinstance(address, IPv6Address):
        return f"{IPv6Address(int(address) >> SUBNET_BITS << SUBNET_BITS)}/{SUBNET_BITS}"
    return client if address is None else str(address)
