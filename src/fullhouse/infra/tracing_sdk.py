"""Traces by OpenTelemetry; loaded only where traces are wanted.

What an error says does not enter a span, since it may name people or secrets: the log has it, without them.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import fullhouse
from fullhouse.infra.tracing import Attributes, Kind

_KINDS = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
_FLUSH_MILLISECONDS_MAX = 2_000
_W3C = TraceContextTextMapPropagator()


def open_tracer(url: str, service: str, ratio: float) -> "SdkTracer":
    """Return a tracer whose spans leave in batches, from a thread of its own."""
    return SdkTracer(url, service, ratio)


class SdkTracer:
    """Spans of one process. Which traces are kept follows from their ids, so that all processes keep the same."""

    def __init__(self, url: str, service: str, ratio: float) -> None:
        """Prepare; nothing is connected before there is something to send."""
        resource = Resource.create({"service.name": service, "service.version": fullhouse.__version__})
        self._provider = TracerProvider(sampler=TraceIdRatioBased(ratio), resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{url}/v1/traces")))
        self._tracer = self._provider.get_tracer("fullhouse")

    @contextmanager
    def span(
        self, name: str, kind: Kind, parent: str | None, attributes: Attributes, links: Sequence[str] = ()
    ) -> Generator[None]:
        """Open a span for a block."""
        with self._tracer.start_as_current_span(
            name,
            context=_context_of(parent) if parent is not None else None,
            kind=_KINDS[kind],
            attributes=attributes,
            links=[Link(get_current_span(_context_of(other)).get_span_context()) for other in links],
            record_exception=False,
            set_status_on_exception=False,
        ) as opened:
            try:
                yield
            except BaseException as error:
                opened.set_attribute("error.type", type(error).__name__)
                opened.set_status(Status(StatusCode.ERROR))
                raise

    def begin(self, name: str, parent: str, attributes: Attributes) -> tuple[str, Callable[[], None]]:
        """Open a producer's span that is no task's own."""
        opened = self._tracer.start_span(
            name, context=_context_of(parent), kind=SpanKind.PRODUCER, attributes=attributes
        )
        return _header_of(opened) or parent, opened.end

    def describe(self, name: str, attributes: Attributes) -> None:
        """Name the span of this task, and add to what it says."""
        current = get_current_span()
        current.update_name(name)
        current.set_attributes(attributes)

    def traceparent(self) -> str | None:
        """Return the context of this task's span; None where there is none."""
        return _header_of(get_current_span())

    def flush(self) -> None:
        """Send what has not been sent, for two seconds at most."""
        self._provider.force_flush(_FLUSH_MILLISECONDS_MAX)

    def stop(self) -> None:
        """Send what has not been sent, for a few seconds at most."""
        self._provider.shutdown()


def _context_of(parent: str) -> Context:
    """Read a context; from one that cannot be read a new trace begins."""
    return _W3C.extract({"traceparent": parent}, context=Context())


def _header_of(opened: Span) -> str | None:
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, context=set_span_in_context(opened, Context()))
    return carrier.get("traceparent")
