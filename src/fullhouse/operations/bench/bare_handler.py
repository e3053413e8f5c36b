"""A server that does nothing but its part of HTTP: the limit against which the hot endpoints are compared.

``python -m fullhouse.operations.bench.bare_handler HOST PORT``. It reads a small JSON body, checks its shape, and
answers one. No store, no identity, no limits, no ids.
"""

import sys
from typing import Any

import msgspec
import uvicorn


class Item(msgspec.Struct):
    """What is wanted of one ticket type."""

    ticket_type_id: str
    quantity: int | None = None
    best_available: int | None = None
    seats: list[str] | None = None


class Wish(msgspec.Struct):
    """The body of a hold."""

    session_id: str
    items: list[Item]


_decode = msgspec.json.Decoder(Wish).decode
_encode = msgspec.json.Encoder().encode


async def handler(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 (what ASGI passes)
    """Answer a request."""
    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    wish = _decode(body) if body else None
    answer = _encode({"id": wish.session_id if wish else "", "status": "held", "items": 1})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    uvicorn.run(
        handler,
        host=sys.argv[1],
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        backlog=4096,
    )
