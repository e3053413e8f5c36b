"""Asking one app both ways: at a glance, and through all the layers."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

from fullhouse.web.edge import Edge
from fullhouse.web.express import Express
from harness.wire import PATIENCE_SECONDS, Answer, connected, limits_of, on_the_wire, read_answer

OF_EACH = {"date", "x-request-id"}


class Noting:
    """The product's own, which notes what was answered at a glance."""

    def __init__(self, express: Express) -> None:
        self.express = express
        self.answered: list[bool] = []

    def serve(self, *request: Any) -> bool:
        self.answered.append(self.express.serve(*request))
        return self.answered[-1]


class Wires:
    """Asks the same app both ways."""

    def __init__(self, at_a_glance: int, long_way: int, noting: Noting) -> None:
        self.at_a_glance, self.long_way, self.noting = at_a_glance, long_way, noting

    async def ask(self, asked: bytes, *, long: bool = False) -> Answer:
        async with connected(self.long_way if long else self.at_a_glance, asked) as (reader, _):
            return await read_answer(reader)

    async def both(self, asked: bytes) -> tuple[Answer, Answer]:
        return await self.ask(asked), await self.ask(asked, long=True)


@asynccontextmanager
async def both_ways(app: Edge) -> AsyncGenerator[Wires]:
    """Serve an app twice: once as the product does, and once without answers at a glance."""
    noting = Noting(app.api.state.express)
    ours = replace(limits_of(app), express=cast("Express", noting))
    async with on_the_wire(app, ours) as (_, one), on_the_wire(app, replace(ours, at_once={})) as (_, other):
        yield Wires(one, other, noting)


def request(first: str, body: bytes = b"", **fields: str) -> bytes:
    if body:
        fields = {"content_type": "application/json", "content_length": str(len(body)), **fields}
    lines = [f"{first} HTTP/1.1", "Host: tickets.example", *(f"{n.replace('_', '-')}: {v}" for n, v in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def without_left(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what answers have in common where each also says what is left of a budget."""
    return {name: value for name, value in common(headers).items() if name != "ratelimit"}


async def until_under_way(app: Edge, count: int) -> None:
    """Return when so many requests are being answered."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while app.traffic.in_flight != count:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.001)


def common(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in OF_EACH}
