"""What single acts cost in processor time, of the API and of Postgres together.

The clock on the wall says what else the machine does; the processor's time of the product's own processes is the same
however fast the generator asks. Each act is done in several portions, and the middle one counts; what is compared
takes turns.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fullhouse.infra.errors import OperatorError
from fullhouse.operations.bench.bench import Bench, Log
from fullhouse.operations.bench.holds import hold_body, same_hold
from fullhouse.operations.bench.limits import as_owner
from fullhouse.operations.bench.portions import (
    PATIENCE_SECONDS,
    PAUSE_SECONDS_MAX,
    ROUNDS,
    Do,
    Portions,
    alternate,
    by_turns,
    each_once,
    for_each,
    served,
    workers_paused,
)
from fullhouse.operations.bench.stock import OnSale
from fullhouse.operations.bench.visits import Placed, codes, hold, order, pay
from fullhouse.operations.bench.wire import Answer, Wire, request

ACTS: Final = ("hold", "settle", "availability", "admission", "scan")
WHOLE: Final = "whole availability (grows with the room)"
"""Its body has two bits for each seat: no act that is to stay level, but what a reader costs after a change."""
HOLDS: Final = 70
ORDERS: Final = 24
TICKETS_AN_ORDER: Final = 20
ORDERS_OF_TICKETS: Final = 14
LOOKS: Final = 2_000
WHOLE_LOOKS: Final = 400
CALLERS: Final = 32
"""Of 1,000 places, the smallest room, this takes 845: each round, one more before the clock, and the tickets."""
_STILL_SECONDS: Final = 1.0
"""Where no process has answered anything else for this long, nothing changes any more."""


@dataclass(frozen=True, slots=True)
class Turns:
    """How much is done."""

    times: int = 1
    """So many times what the smallest room has places for."""
    rounds: int = ROUNDS


@dataclass(frozen=True, slots=True)
class Place:
    """Where acts are measured. ``item`` is how a hold asks: ``quantity`` or ``best_available``.

    ``run`` keeps idempotency keys apart; ``log`` notes what the clients were promised.
    """

    bench: Bench
    on_sale: OnSale
    item: str
    log: Log
    run: str
    callers: int = CALLERS


_FEW: Final = Turns()


async def compare_costs(places: Sequence[Place], turns: Turns = _FEW) -> list[dict[str, Sequence[float]]]:
    """Return what each act costs at each place in each round, in microseconds; the places take turns in every round.

    Before the clock each place did as many of the same acts, and the statistics of its tables are new.
    """
    async with AsyncExitStack() as stack:
        # The first of each kind loads what the process keeps in memory.
        wires = [await stack.enter_async_context(place.bench.connected(place.callers)) for place in places]
        doors = [_Door(place, its, turns) for place, its in zip(places, wires, strict=True)]
        for door in doors:
            await door.warm()
        for bench in each_once(door.bench for door in doors):
            async with as_owner(bench.house.database_url) as conn:
                await conn.execute("ANALYZE")
        found = {"hold": await by_turns([door.portions(door.holds(), door.noting()) for door in doors])}
        found["settle"] = await by_turns([await door.payments() for door in doors])
        async with workers_paused(door.bench for door in doors):
            found["availability"] = await alternate([await door.unchanged() for door in doors])
            found[WHOLE] = await alternate([door.whole() for door in doors])
        scans = [await door.tickets() for door in doors]
        for act in ("admission", "scan"):
            found[act] = await by_turns(
                [door.portions(asks, _expecting(200)) for door, asks in zip(doors, scans, strict=True)]
            )
    return [{act: costs[number] for act, costs in found.items()} for number in range(len(places))]


class _Door:
    """What is asked for a session."""

    def __init__(self, place: Place, wires: Sequence[Wire], turns: Turns) -> None:
        self.bench, self._wires, self._place = place.bench, wires, place
        self._times, self._rounds = turns.times, 1 + turns.rounds
        self._on_sale, self._item, self._run = place.on_sale, place.item, place.run
        self._look = f"/api/v1/sessions/{place.on_sale.session_id}/availability"

    def _wish(self, quantity: int) -> dict[str, Any]:
        return {self._item: quantity}

    def portions(self, asks: Sequence[Sequence[bytes]], do: Do) -> Portions:
        return Portions(self.bench, self._wires, asks, do)

    def noting(self) -> Do:
        return _noting(self._place.log)

    def holds(self) -> list[list[bytes]]:
        body = hold_body(self._on_sale, self._wish(1))
        makes = [same_hold(body, f"{self._run}-{turn}") for turn in range(self._rounds)]
        return [[make(number) for number in range(HOLDS * self._times)] for make in makes]

    async def warm(self) -> None:
        first = await self._placed(self._wires[0], "warm", 1)
        await pay(self._wires[0], first)
        for wire in self._wires:
            await wire.fetch(request("GET", self._look))

    async def payments(self) -> Portions:
        placed = [await self.orders(self._wires, turn) for turn in range(self._rounds)]
        by_id = {one.order_id.encode(): one for portion in placed for one in portion}

        async def do(wire: Wire, order_id: bytes) -> None:
            await pay(wire, by_id[order_id])

        return self.portions([[one.order_id.encode() for one in portion] for portion in placed], do)

    async def orders(self, wires: Sequence[Wire], portion: int) -> list[Placed]:
        placed: list[Placed] = []

        async def place(wire: Wire, number: bytes) -> None:
            placed.append(await self._placed(wire, f"{portion}-{number.decode()}", 1))

        await for_each(wires, (b"%d" % number for number in range(ORDERS * self._times)), place)
        return placed

    async def unchanged(self) -> Portions:
        """Ask as somebody does who has the answer already, which is still the newest. The worker is to rest."""
        asks = await self._settled()

        async def do(wire: Wire, _ask: bytes) -> None:
            await served(wire, asks[id(wire)], (304,))

        return self.portions([[b""] * LOOKS] * self._rounds, do)

    def whole(self) -> Portions:
        return self.portions([[request("GET", self._look)] * WHOLE_LOOKS] * self._rounds, _expecting(200))

    async def _settled(self) -> dict[int, bytes]:
        """Wait until every connection's process answers the same again and again; return the ask of each connection."""
        clock = asyncio.get_running_loop().time
        asks: dict[int, bytes] = {}
        since = clock()
        async with asyncio.timeout(PAUSE_SECONDS_MAX):
            while clock() - since < _STILL_SECONDS:
                for wire in self._wires:
                    ask = asks.get(id(wire)) or request("GET", self._look)
                    answer = await served(wire, ask, (200, 304))
                    if answer.status == HTTPStatus.OK:
                        asks[id(wire)] = request("GET", self._look, (("if-none-match", _etag_of(answer)),))
                        since = clock()
                await asyncio.sleep(PATIENCE_SECONDS)
        return asks

    async def tickets(self) -> list[list[bytes]]:
        """Sell tickets in large orders and wait until they are issued; return their scans in portions."""
        placed: list[Placed] = []

        async def buy(wire: Wire, number: bytes) -> None:
            one = await self._placed(wire, f"t-{number.decode()}", TICKETS_AN_ORDER)
            await pay(wire, one)
            placed.append(one)

        await for_each(self._wires, (b"%d" % number for number in range(ORDERS_OF_TICKETS * self._times)), buy)
        scans: list[bytes] = []
        headers = (("authorization", f"Bearer {self.bench.organizer.scanner_key}"),)
        for one in placed:
            async with asyncio.timeout(60):
                while len(found := await codes(self._wires[0], one)) < TICKETS_AN_ORDER:  # noqa: ASYNC110 (asked over HTTP)
                    await asyncio.sleep(0.05)
            for code in found:
                body = json.dumps({"code": code, "session_id": str(self._on_sale.session_id)}).encode()
                scans.append(request("POST", "/api/v1/tickets/validate", headers, body))
        each = len(scans) // self._rounds
        return [scans[each * turn : each * (turn + 1)] for turn in range(self._rounds)]

    async def _placed(self, wire: Wire, key: str, quantity: int) -> Placed:
        held = await hold(wire, self._on_sale, f"{self._run}-{key}", self._wish(quantity))
        if held is None:
            raise OperatorError("a session of the benchmark was sold out too early")
        return await order(wire, held)


def _noting(log: Log) -> Do:
    async def do(wire: Wire, ask: bytes) -> None:
        log.judge(0, await served(wire, ask, (201,)))

    return do


def _expecting(*statuses: int) -> Do:
    async def do(wire: Wire, ask: bytes) -> None:
        await served(wire, ask, statuses)

    return do


def _etag_of(answer: Answer) -> str:
    lines = (line.partition(":") for line in answer.head.decode(errors="replace").splitlines())
    return next((value.strip() for name, _, value in lines if name.lower() == "etag"), "")
