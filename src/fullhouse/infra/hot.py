"""Hot routes: operations that are asked for thousands of times a second, served by thin ASGI callables.

They stand behind the same layers as all others (ids, security headers, limits, log, metrics) and in front of the
framework, which knows of them only what the OpenAPI document says, and refuses their wrong methods. One reads so::

    @hot_route(
        router, "POST /things", takes={"body": NewThing, "key": IdempotencyKey},
        response_model=ThingAnswer, status_code=201, dependencies=[public()], responses=problems(409),
    )
    async def post_thing(scope: Scope, receive: Receive, send: Send) -> None:
        "Make a thing."
        body = must_be_valid(NEW_THING.read(scope, await read_raw(receive)))
        key = read_header(KEY, scope)
        await send_answer(send, 201, encode(...))

``app_state(scope)`` is the framework's ``app.state``; ``path_params`` stand in the scope as texts. What is asked
is read with ``infra.hot_reading``. Whatever is raised becomes the same problem as behind the framework.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Never, Protocol, get_args

from fastapi import APIRouter
from starlette.types import Message, Receive, Scope, Send

from fullhouse.infra.http_idempotency import REPLAYED_HEADER

Serve = Callable[[Scope, Receive, Send], Awaitable[None]]
Glance = Callable[..., bool]
"""Answers what is plain, as ``infra.glance`` says."""

JSON_TYPE = (b"content-type", b"application/json")
CHUNK: Final = "fullhouse.chunk"
"""In a piece of an answer: the same piece as it goes over the wire. Our server writes it; others do not look at it."""

_WIRE: Final = "fullhouse.wire"
"""The extension under which our server leaves the request."""

REPLAYED = (REPLAYED_HEADER.lower().encode(), b"true")


class Pipe(Protocol):
    """An answer that has begun and goes on, as our server has it: what is to go to many goes to each in one write."""

    def write_piece(self, chunk: bytes) -> bool:
        """Send a piece of the answer, written as it goes over the wire (``CHUNK``). Return whether it was sent.

        It is not where the client has gone, or has not read what it was sent before.
        """
        ...


def json_headers(*, replayed: bool) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers of an answer in JSON, which a key may have had before."""
    return _AGAIN if replayed else _NEW


_NEW, _AGAIN = (JSON_TYPE,), (JSON_TYPE, REPLAYED)


def pipe_of(scope: Scope) -> Pipe | None:
    """Return the answer to a request as our server has it; None on other servers."""
    extensions: Mapping[str, Any] = scope.get("extensions") or {}
    return extensions.get(_WIRE)


class HotOperation:
    """What the framework is given in place of an endpoint: it describes, and ``serve`` answers."""

    def __init__(
        self,
        serve: Serve,
        takes: Mapping[str, Any],
        *,
        at_once: bool = False,
        glance: Glance | None = None,
    ) -> None:
        """Take name and description from the callable; a parameter that may be None is one that may be missing."""
        self.serve = serve
        self.at_once = at_once
        self.glance = glance
        self.__name__ = getattr(serve, "__name__", type(serve).__name__)
        self.__doc__ = serve.__doc__
        self.__signature__ = inspect.Signature(
            [
                inspect.Parameter(
                    name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=None if _may_be_missing(annotation) else inspect.Parameter.empty,
                    annotation=annotation,
                )
                for name, annotation in takes.items()
            ]
        )

    async def __call__(self, **_parameters: object) -> Never:
        """Refuse: the layer in front of the framework serves it."""
        raise RuntimeError(f"{self.__name__} is served in front of the framework")


def hot_route(
    router: APIRouter,
    operation: str,
    *,
    takes: Mapping[str, Any],
    at_once: bool = False,
    glance: Glance | None = None,
    **described: Any,  # noqa: ANN401 (what the framework takes for any route)
) -> Callable[[Serve], Serve]:
    """Serve ``operation``, such as ``POST /things``, by the decorated callable.

    ``takes`` names parameters as an endpoint would declare them; ``described`` goes to ``add_api_route``. ``at_once``
    is for those that mostly answer from memory or wait for one future: they begin before there is a task for them.
    ``glance`` is for what of that is plain: see ``infra.glance``; the rest goes to the callable.
    """
    method, _, path = operation.partition(" ")

    def register(serve: Serve) -> Serve:
        described.setdefault("response_model", None)
        router.add_api_route(
            path, HotOperation(serve, takes, at_once=at_once, glance=glance), methods=[method], **described
        )
        return serve

    return register


def _may_be_missing(annotation: object) -> bool:
    inner = get_args(annotation)
    return bool(inner) and type(None) in get_args(inner[0])


def app_state(scope: Scope) -> Any:  # noqa: ANN401 (as the framework has it)
    """Return the state of the app: the parts of this process that requests share."""
    return scope["app"].state


async def send_answer(
    send: Send, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]] = (JSON_TYPE,)
) -> None:
    """Send a whole answer; its length is added to the headers."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


def piece_of_answer(data: bytes) -> Message:
    """Make a piece of an answer whose length nobody knows, for one or for many; something follows on it."""
    return {
        "type": "http.response.body",
        "body": data,
        "more_body": True,
        CHUNK: b"%x\r\n%b\r\n" % (len(data), data),
    }


async def send_not_modified(send: Send, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Say that what the client has is still right."""
    await send({"type": "http.response.start", "status": 304, "headers": list(headers)})
    await send({"type": "http.response.body", "body": b""})
