"""The processes that one Fullhouse consists of, and waiting until they serve."""

import http.client
import os
import time
from contextlib import suppress
from socket import socket

from fullhouse.cli.supervise import Child, Supervisor
from fullhouse.infra.errors import OperatorError
from fullhouse.settings import PREFIX, Settings, default_public_url, environment_of

RENDER = "render"
PARTS_OF_WORKER = ("relay", "consume", RENDER, "schedule", "send")
_NICENESS_MAX = 19
READY_SECONDS_MAX = 60
_PROBE_SECONDS_MAX = 2.0
_PROBE_EVERY_SECONDS = 0.05


def give_way() -> None:
    """Let this process have what all others leave: those who buy do not wait for mails.

    Where the system knows idle processes (Linux), one that wakes up takes the processor from it at once. A nice process
    would keep it to the end of its slice.
    """
    os.nice(_NICENESS_MAX)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):  # a container may forbid it
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def with_address(settings: Settings, listener: socket) -> Settings:
    """Return the settings with the port that was taken, and the public address that follows from it."""
    port = int(listener.getsockname()[1])
    url = settings.public_url or default_public_url(settings.host, port)
    return settings.model_copy(update={"port": port, "public_url": url})


def api_children(settings: Settings, listener: socket) -> list[Child]:
    """Return as many processes of the API as are wanted, which all accept from one listening socket."""
    descriptor = listener.fileno()
    arguments = ["api", "--fd", str(descriptor)]
    return [Child("API", arguments, _environment(settings), [descriptor]) for _ in range(settings.workers)]


def worker_children(settings: Settings) -> list[Child]:
    """Return the process of the background worker, and those that render and mail in its place."""
    environment = _environment(settings)
    if not settings.renderers:
        return [Child("worker", ["worker"], environment)]
    others = ",".join(part for part in PARTS_OF_WORKER if part != RENDER)
    renderers = [Child("renderer", ["worker", "--only", RENDER], environment) for _ in range(settings.renderers)]
    return [Child("worker", ["worker", "--only", others], environment), *renderers]


def await_ready(supervisor: Supervisor, listener: socket) -> None:
    """Wait until the API says that every part is reachable; raise ``OperatorError`` if it does not in a minute."""
    until = time.monotonic() + READY_SECONDS_MAX
    while not _is_ready(listener):
        supervisor.look()
        if time.monotonic() > until:
            raise OperatorError(f"the API did not become ready in {READY_SECONDS_MAX} s; the lines above say why")
        time.sleep(_PROBE_EVERY_SECONDS)


def _is_ready(listener: socket) -> bool:
    host, port = listener.getsockname()[:2]
    connection = http.client.HTTPConnection(host, port, timeout=_PROBE_SECONDS_MAX)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _environment(settings: Settings) -> dict[str, str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**others, **environment_of(settings)}
