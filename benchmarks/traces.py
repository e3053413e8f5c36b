"""What traces cost where they are off, and where they are on: ``python benchmarks/traces.py [ROUNDS]``.

It calls what a request and its message call, without anything else: the span of the request, the context that the
outbox and the desk ask for, the span of a batch of holds, the relay's spans of a batch, the span of a reaction and of
a mail. Off, beside a loop that calls nothing; on, with every trace kept and none of them sent anywhere (the collector's
address is closed).
"""

import logging
import sys
import time
from collections.abc import Callable
from uuid import uuid4

from fullhouse.core.message import Message
from fullhouse.infra import tracing

LOOPS = 20_000
ON_LOOPS = 2_000
MESSAGE = Message(uuid4(), uuid4(), "order.paid", 1, uuid4(), {}, None, "2031-01-01T00:00:00Z")
CONTEXTS = ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]
HEADERS = [(b"host", b"tickets.example"), (b"accept", b"*/*")]


def with_calls() -> None:
    """Go the way of a message from its request to its mail, through everything that traces touch."""
    with tracing.request_span("POST", HEADERS):
        tracing.traceparent()
        tracing.describe("POST /api/v1/orders", status=201)
    with tracing.batch_span("hold", (context for context in CONTEXTS)):
        tracing.traceparent()
    with tracing.publishing([MESSAGE]):
        pass
    with tracing.processing("tickets.issue", MESSAGE), tracing.span("send mail", "client"):
        pass


def without() -> None:
    """Do nothing."""


def microseconds(work: Callable[[], None], loops: int) -> float:
    """Return the processor time of one call, the best of five turns."""
    turns: list[float] = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(loops):
            work()
        turns.append((time.process_time() - began) / loops)
    return 1e6 * min(turns)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    logging.disable()
    print("| traces | processor time of a request, its message and its mail |\n|---|---|")
    for _ in range(rounds):
        bare, off = microseconds(without, LOOPS), microseconds(with_calls, LOOPS)
        print(f"| off | {off - bare:.2f} µs |")
        with tracing.traces_to("http://127.0.0.1:1", "bench"):
            on = microseconds(with_calls, ON_LOOPS)
        print(f"| on | {on - bare:.0f} µs |")


if __name__ == "__main__":
    main()
