"""Where a webhook may go: the address as it was written, and the addresses that its name leads to. Pure.

Only what is plainly written is taken: https, a name of DNS or an address in its usual form, no user, no fragment. An
address passes if the whole internet can reach it and if it is nobody's special use (IANA's special-purpose registries).
In IPv6 only global unicast (2000::/3) passes, so that every form in which an IPv4 address can be wrapped is refused.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from fullhouse.core.errors import Invalid

URL_LENGTH_MAX = 2000
HOST_LENGTH_MAX = 253
PORTS = frozenset({443, 8443})

Address = IPv4Address | IPv6Address

_URL = re.compile(
    r"https://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[1-9][0-9]{0,4}))?(?P<target>[/?].*)?",
    re.IGNORECASE | re.ASCII,
)
_PRINTABLE = re.compile(r"[!$&-;=?-Z_a-z~%\[\]]+")
"""What may stand in a URL: no space, control character, quote, bracket of HTML, backslash, or fragment."""

_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PLAIN_IPV4 = re.compile(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}")
_LIKE_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A name whose last label is a number is read as an IPv4 address by some programs, in octal, hex or short forms."""

_NAMES_INSIDE = frozenset({"localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "onion"})
_SUFFIXES_INSIDE = (".home.arpa", ".in-addr.arpa", ".ip6.arpa")

_PRIVATE = (
    IPv4Network("127.0.0.0/8"),
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv6Network("::1/128"),
    IPv6Network("fc00::/7"),
)
_METADATA = (IPv6Network("fd00:ec2::/32"), IPv6Network("fd20:ce::/32"))

_REFUSED = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
        "192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 "
        "203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32"  # the last is the metadata service of one cloud
    ).split()
) + tuple(
    IPv6Network(network)
    for network in (
        # Of 2000::/3: protocols (Teredo, ORCHID, benchmarks), documentation, 6to4, AS112.
        "2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20"
    ).split()
)
_GLOBAL_IPV6 = IPv6Network("2000::/3")


class WebhookUrlRefused(Invalid):
    """A webhook goes to https addresses of the public internet alone; ``errors`` names the field."""

    code = "webhook_url_refused"
    title = "A webhook cannot be sent to this address."


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL, taken apart."""

    host: str
    """In lower case, without brackets."""
    port: int
    target: str
    """Path and query, as they are sent."""

    @property
    def authority(self) -> str:
        """Return what the header ``Host`` carries."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"


def read_destination(url: str, *, allow_private: bool = False) -> Destination:
    """Take a URL apart. Raises ``WebhookUrlRefused``.

    ``allow_private`` is for development: names of one label, any port, and private addresses are then taken.
    """
    if len(url) > URL_LENGTH_MAX or not _PRINTABLE.fullmatch(url) or _PERCENT.search(url):
        raise _refused("Must be a URL without spaces, fragment or characters that are not ASCII.")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise _refused("Must be https://, a name or address, and a path; without a user.")
    host = _read_host(parts["host"].lower(), allow_private=allow_private)
    port = int(parts["port"] or 443)
    if port > 65535 or not (allow_private or port in PORTS):
        raise _refused("The port must be 443 or 8443.")
    target = parts["target"] or "/"
    if "[" in target or "]" in target:
        raise _refused("Brackets in the path are written as %5B and %5D.")
    return Destination(host, port, target if target.startswith("/") else f"/{target}")


def is_allowed(address: Address, *, allow_private: bool = False) -> bool:
    """Say whether a connection to an address may be made."""
    if allow_private and any(address in network for network in _PRIVATE):
        return not any(address in network for network in _METADATA)
    if isinstance(address, IPv6Address) and (address not in _GLOBAL_IPV6 or address.scope_id is not None):
        return False
    return not any(address in network for network in _REFUSED)


def _read_host(written: str, *, allow_private: bool) -> str:
    if written.startswith("["):
        return _checked(written[1:-1], IPv6Address, allow_private=allow_private)
    last = written.rpartition(".")[2]
    if _LIKE_NUMBER.fullmatch(last):
        if not _PLAIN_IPV4.fullmatch(written):
            raise _refused("An IPv4 address is written as four numbers: 192.0.2.1.")
        return _checked(written, IPv4Address, allow_private=allow_private)
    labels = written.split(".")
    if len(written) > HOST_LENGTH_MAX or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refused("The name of the host is not one of DNS.")
    inside = len(labels) == 1 or last in _NAMES_INSIDE or written.endswith(_SUFFIXES_INSIDE)
    if inside and not allow_private:
        raise _refused("The name must be one that the public internet knows.")
    return written


def _checked(written: str, kind: type[Address], *, allow_private: bool) -> str:
    try:
        address = ip_address(written)
    except ValueError:
        address = None
    if not isinstance(address, kind):
        raise _refused("The address cannot be read.")
    if not is_allowed(address, allow_private=allow_private):
        raise _refused("The address must be one of the public internet.")
    return str(address)


def _refused(message: str) -> WebhookUrlRefused:
    return WebhookUrlRefused(f"url: {message}", errors=[{"field": "url", "message": message}])
