"""Traces: off unless a root starts them, and then what one request caused is one trace, through broker and worker.

Spans go to a collector by OTLP. A message carries the W3C context of the span that announced it (``traceparent``).
While traces are off OpenTelemetry is not loaded, and every function here returns at once.
"""

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from importlib import import_module
from typing import Literal, Protocol, cast

from fullhouse.core.message import Message
from fullhouse.infra.errors import OperatorError

Kind = Literal["server", "client", "producer", "consumer", "internal"]
Attributes = Mapping[str, str | int]


class Tracer(Protocol):
    """What is needed of OpenTelemetry."""

    def span(
        self, name: str, kind: Kind, parent: str | None, attributes: Attributes, links: Sequence[str] = ()
    ) -> AbstractContextManager[object]:
        """Open a span for a block: below the parent, or else below the span around it; linked to others."""
        ...

    def begin(self, name: str, parent: str, attributes: Attributes) -> tuple[str, Callable[[], None]]:
        """Open a producer's span; return its context, and what ends it."""
        ...

    def describe(self, name: str, attributes: Attributes) -> None:
        """Name the span of this task, and add to what it says."""
        ...

    def traceparent(self) -> str | None:
        """Return the context of this task's span."""
        ...

    def flush(self) -> None:
        """Send what has not been sent, and go on. It waits, for a moment at most."""
        ...

    def stop(self) -> None:
        """Send what has not been sent."""
        ...


class _State:
    """The one tracer of this process."""

    tracer: Tracer | None = None


_OFF: AbstractContextManager[object] = nullcontext()
_SAMPLED = frozenset("13579bdf")
"""How the flags of a context that is kept end: the lowest bit is set."""


@contextmanager
def traces_to(url: str | None, service: str, ratio: float = 1.0) -> Generator[None]:
    """Send traces to the collector at ``url`` (``/v1/traces`` is added) while the block runs; without a URL, none.

    ``ratio`` of all traces are kept, the same ones by every process. Raises ``OperatorError`` without the packages.
    """
    if url is None:
        yield
        return
    try:
        module = import_module("fullhouse.infra.tracing_sdk")
    except ModuleNotFoundError as missing:
        raise OperatorError(
            f"FULLHOUSE_TRACES_URL needs more packages: pip install 'fullhouse[traces]' ({missing.name} is missing)"
        ) from missing
    tracer = cast("Tracer", module.open_tracer(url, service, ratio))
    _State.tracer = tracer
    try:
        yield
    finally:
        _State.tracer = None
        tracer.stop()


async def flush() -> None:
    """Send what has not been sent, where a process may be frozen from now on."""
    if _State.tracer is not None:
        await asyncio.to_thread(_State.tracer.flush)


def span(name: str, kind: Kind = "internal") -> AbstractContextManager[object]:
    """Open a span for a block, below the one around it. An error marks it as failed."""
    return _OFF if _State.tracer is None else _State.tracer.span(name, kind, None, {})


def batch_span(name: str, contexts: Iterable[str | None]) -> AbstractContextManager[object]:
    """Open a span for what is done for several requests at once, given the context of each.

    It stands below the first of them whose trace is kept, and is linked to the others: a span has one parent.
    """
    tracer = _State.tracer
    if tracer is None:
        return _OFF
    known = [context for context in contexts if context is not None]
    if not known:
        return _OFF
    kept = [context for context in known if is_kept(context)]
    return tracer.span(name, "internal", (kept or known)[0], {"fullhouse.batch.size": len(known)}, kept[1:])


def is_kept(context: str) -> bool:
    """Say whether the trace of a context is kept, from its flags."""
    return context[-1:] in _SAMPLED


def is_on() -> bool:
    """Say whether anybody traces."""
    return _State.tracer is not None


def request_span(method: str, headers: Iterable[tuple[bytes, bytes]]) -> AbstractContextManager[object]:
    """Open the span of an HTTP request, below the one that its ``traceparent`` names if it has one."""
    tracer = _State.tracer
    if tracer is None:
        return _OFF
    parent = next((value.decode("latin-1") for name, value in headers if name == b"traceparent"), None)
    return tracer.span(method, "server", parent, {})


def describe(name: str, **attributes: str | int) -> None:
    """Name the span of this task by what is only known at its end, and add to what it says."""
    if _State.tracer is not None:
        _State.tracer.describe(name, attributes)


def traceparent() -> str | None:
    """Return the context of this task's span, as a message carries it."""
    return None if _State.tracer is None else _State.tracer.traceparent()


@contextmanager
def publishing(messages: Sequence[Message]) -> Generator[Sequence[Message]]:
    """Open a span for each message that belongs to a trace; yield the messages as they are to be published."""
    tracer = _State.tracer
    if tracer is None:
        yield messages
        return
    ends: list[Callable[[], None]] = []
    published: list[Message] = []
    for message in messages:
        if message.traceparent is None:
            published.append(message)
            continue
        context, end = tracer.begin(f"publish {message.type}", message.traceparent, _about(message))
        ends.append(end)
        published.append(replace(message, traceparent=context))
    try:
        yield published
    finally:
        for end in ends:
            end()


def processing(queue: str, message: Message) -> AbstractContextManager[object]:
    """Open the span of a reaction to a message."""
    tracer = _State.tracer
    if tracer is None:
        return _OFF
    about = {**_about(message), "messaging.destination.name": queue}
    return tracer.span(f"process {queue}", "consumer", message.traceparent, about)


def below_this_span(message: Message) -> Message:
    """Return a message with the context of this task's span, so that what it causes stands below that."""
    return message if _State.tracer is None else replace(message, traceparent=_State.tracer.traceparent())


def _about(message: Message) -> dict[str, str | int]:
    return {"messaging.message.id": str(message.message_id), "messaging.message.type": message.type}
