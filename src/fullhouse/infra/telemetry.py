"""Logs as JSON lines with the id of the request, and the metrics that Prometheus reads.

Secrets do not reach a log: values under names such as ``token`` are removed, and so is whatever has the shape of a
credential, wherever it stands, tracebacks included.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import nullcontext
from typing import Any, Literal, TextIO, cast

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from fullhouse.infra.outbox import request_id
from fullhouse.infra.system import now

REGISTRY = CollectorRegistry(auto_describe=True)
METRICS_TYPE = CONTENT_TYPE_LATEST
REMOVED = "[removed]"

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SECRET_NAMES = frozenset(
    {"authorization", "cookie", "token", "secret", "password", "key", "api_key", "code", "email", "secret_key"}
)
_SECRET_SHAPES = re.compile(
    r"fhr?_[A-Za-z0-9_-]{20,}"  # API keys and refresh tokens
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"  # access tokens, and ID tokens of others
    r"|[rs]k_(?:test|live)_[A-Za-z0-9]{8,}|whsec_[A-Za-z0-9+/=_-]{8,}"  # an organization's keys for Stripe
    r"|(?<=Bearer )[^\s'\",}]+|(?<=Reservation )[A-Za-z0-9_-]{20,}|(?<=Order )[A-Za-z0-9_-]{20,}"
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # user and password of a URL
    r"|[^\s<>,;:'\"()=\[\]{}/\\]+@[^\s<>,;:'\"()=\[\]{}/\\@]+\.[^\s<>,;:'\"()=\[\]{}/\\@]+"  # mail addresses
)

Log = structlog.stdlib.BoundLogger
Event = MutableMapping[str, Any]


def counter(name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
    """Make a counter ``fullhouse_<name>_total``."""
    return Counter(f"fullhouse_{name}", meaning, labels, registry=REGISTRY)


def gauge(name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
    """Make a gauge ``fullhouse_<name>``."""
    return Gauge(f"fullhouse_{name}", meaning, labels, registry=REGISTRY)


def histogram(name: str, meaning: str, labels: Sequence[str] = (), buckets: Sequence[float] = SECONDS) -> Histogram:
    """Make a histogram ``fullhouse_<name>``, of seconds unless the buckets say otherwise."""
    return Histogram(f"fullhouse_{name}", meaning, labels, buckets=buckets, registry=REGISTRY)


def render_metrics() -> bytes:
    """Write all metrics of this process in the text format of Prometheus."""
    return generate_latest(REGISTRY)


def get_log(name: str) -> Log:
    """Return a logger. Log what happened as a short name and the facts as keywords: ``log.info("paid", order=id)``."""
    return structlog.stdlib.get_logger(name)


def configure_logging(
    level: Literal["debug", "info", "warning", "error"] = "info",
    style: Literal["json", "text"] = "json",
    stream: TextIO | None = None,
) -> None:
    """Send the logs of this process, also those of libraries, to one stream (standard error) in one form."""
    shared = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _add_request_id,
        structlog.processors.format_exc_info,
        remove_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    _State.json_handler = handler if style == "json" else None
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # It says of every start and stop what we say ourselves.
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, root.level))


class _State:
    """The handler of this process, where it writes JSON."""

    json_handler: logging.StreamHandler[TextIO] | None = None


class RequestLog:
    """Writes one line for each request: the line that the log would write, at a tenth of its cost.

    What it is given holds no secret: methods, templates of routes, numbers and ids.
    """

    def __init__(self, name: str) -> None:
        """Write under a name, as ``get_log`` does."""
        self._name = name
        self._log = get_log(name)
        self._logger = logging.getLogger(name)

    @property
    def is_on(self) -> bool:
        """Whether anything would be written."""
        return self._logger.isEnabledFor(logging.INFO)

    def write(self, event: str, **facts: str | float) -> None:
        """Write the facts of one request."""
        handler = _State.json_handler
        if handler is None or logging.getLogger().handlers != [handler]:
            self._log.info(event, **facts)
            return
        at = now().isoformat().replace("+00:00", "Z")
        line: Event = {**facts, "event": event, "logger": self._name, "level": "info", "at": at}
        text = _encode(_add_request_id(self._log, "info", line)) + handler.terminator
        with handler.lock or nullcontext():
            handler.stream.write(text)
            handler.flush()


_encode = json.JSONEncoder(ensure_ascii=False).encode


def remove_secrets(_logger: object, _method: str, event: Event) -> Event:
    """Take out of an entry what is named like a secret or looks like a credential."""
    for name, value in event.items():
        event[name] = REMOVED if name in _SECRET_NAMES else _without_secrets(value)
    return event


def _without_secrets(value: object) -> object:
    if isinstance(value, str):
        return _SECRET_SHAPES.sub(REMOVED, value)
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {key: REMOVED if key in _SECRET_NAMES else _without_secrets(item) for key, item in pairs}
    if isinstance(value, (list, tuple)):
        return [_without_secrets(item) for item in cast("Sequence[object]", value)]
    return value


def _add_request_id(_logger: object, _method: str, event: Event) -> Event:
    found = request_id.get()
    if found is not None:
        event.setdefault("request_id", found)
    return event
