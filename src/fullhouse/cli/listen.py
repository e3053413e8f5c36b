"""The socket on which the API listens; made before its processes, which all accept from it."""

import errno
import socket
from collections.abc import Iterable

from fullhouse.infra.errors import OperatorError

PORT_FIRST = 8000
PORT_LAST = 8999
BACKLOG = 4096


def listen(host: str, port: int | None) -> socket.socket:
    """Listen on the port, or on the first free one from 8000; raise ``OperatorError`` if that cannot be."""
    family = _family(host)
    ports: Iterable[int] = range(PORT_FIRST, PORT_LAST + 1) if port is None else [port]
    for candidate in ports:
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            # Connections of the last run that linger must not keep a port from the next.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, candidate))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            if port is None and error.errno == errno.EADDRINUSE:
                continue
            raise OperatorError(f"cannot listen on {host} port {candidate}: {error.strerror or error}") from error
        return listener
    raise OperatorError(f"no port from {PORT_FIRST} to {PORT_LAST} is free on {host}; name one with --port")


def inherited(descriptor: int) -> socket.socket:
    """Take over the listening socket that a parent process made."""
    try:
        return socket.socket(fileno=descriptor)
    except OSError as error:
        raise OperatorError(f"descriptor {descriptor} is no listening socket") from error


def _family(host: str) -> socket.AddressFamily:
    try:
        return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise OperatorError(f"the host {host} is not known here") from error
