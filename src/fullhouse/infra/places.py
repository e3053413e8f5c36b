"""Reading where a part is: folders and hosts in URLs that an operator wrote."""

from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from fullhouse.infra.errors import OperatorError


def folder_of(url: str, what: str) -> Path:
    """Read ``file:///…`` or a plain path. Raises ``OperatorError`` naming ``what`` for another scheme or host."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"} or not parts.path:
            raise OperatorError(f"{what}: file:///… takes a path and no host: {url}")
        return Path(unquote(parts.path))
    if not url or "://" in url:
        raise OperatorError(f"{what}: the scheme of this URL is not known: {url or '(empty)'}")
    return Path(url)


def split_servers(url: str) -> tuple[SplitResult, str]:
    """Split a URL whose authority may name several servers: return it with an empty authority, and that beside it.

    ``urlsplit`` takes one host alone, and of some releases on refuses ``[::1]`` where it is not the first.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return urlsplit(url), ""
    end = min((place for mark in "/?#" if (place := rest.find(mark)) >= 0), default=len(rest))
    return urlsplit(f"{scheme}://{rest[end:]}"), rest[:end]


def is_loopback(host: str | None) -> bool:
    """Say whether a host is this machine, without asking a name server."""
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def is_endpoint(url: str) -> bool:
    """Say whether a URL may be the endpoint of a service: https, or plain http on this machine."""
    parts = urlsplit(url)
    if not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
