"""What every scenario works with: the house, the limits of the run, and the clients' own log of promises."""

import tempfile
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

from fullhouse.infra.postgres import Pool, transaction
from fullhouse.infra.rate_budgets import QUOTA_MAX
from fullhouse.operations.bench.figures import Figure
from fullhouse.operations.bench.house import HOST, House, running_house
from fullhouse.operations.bench.limits import bare_handler, guarded_statement
from fullhouse.operations.bench.load import ACCEPTED, TOLD_TO_WAIT, Judge, MakeRequest, closed_loop
from fullhouse.operations.bench.stock import Organizer, make_organizer
from fullhouse.operations.bench.wire import LOST, Answer, Wire, open_wires, request
from fullhouse.operations.verify import verify
from fullhouse.settings.budgets import BY_ADDRESS, BY_IDENTITY

CREATED: Final = 201
_REFUSED: Final = "refused"
_DECIDED: Final = (ACCEPTED, _REFUSED)
_ID_MARK: Final = b'"id":"'
_ID_LENGTH: Final = 36
_WAITS: Final = frozenset({"message_is_sent"})
"""Checks that only say that the worker has more to do."""

Advance = Callable[[str], None]
"""Told of each step, for the progress bar."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often: ``seconds`` for each load, ``rounds`` of limit and subject by turns."""

    seconds: float = 5.0
    warm_up_seconds: float = 2.0
    rounds: int = 3
    connections: int = 128
    share_of_capacity: float = 0.7
    """At what part of the closed loop's rate latency is measured."""
    rows_before: int = 1_000_000
    """How many old orders, tickets and messages ``growth`` lays into the tables."""
    folder: Path = Path(".data/bench")


@dataclass(slots=True)
class Bench:
    """One run of one or more scenarios on one house."""

    plan: Plan
    house: House
    organizer: Organizer
    advance: Advance

    @asynccontextmanager
    async def connected(self, count: int | None = None) -> AsyncGenerator[Sequence[Wire]]:
        """Open connections to the API for a block."""
        wires = await open_wires(HOST, self.house.port, count or self.plan.connections)
        try:
            yield wires
        finally:
            for wire in wires:
                wire.close()

    async def bare(self, body: bytes) -> float:
        """Return what the bare handler answers a second, over as many connections."""
        self.advance("bare handler")
        async with bare_handler(HOST) as port:
            wires = await open_wires(HOST, port, self.plan.connections)
            data = request("POST", "/api/v1/reservations", (("idempotency-key", "bench"),), body)
            rate, _ = await closed_loop(wires, self.plan.seconds, lambda _: data, by_status)
            for wire in wires:
                wire.close()
        return rate

    async def pgbench(self) -> float:
        """Return what pgbench does a second with one guarded statement on one hot row."""
        self.advance("pgbench")
        house = self.house
        return await guarded_statement(house.database_url, house.folder, self.plan.seconds)

    async def capacity(self, make_request: MakeRequest, judge: Judge, *, seconds: float | None = None) -> float:
        """Return what the API decides a second for as many callers as there are connections, after a warm-up.

        Who was told to wait, or lost the connection, got no decision, and counts for nothing.
        """
        self.advance("closed loop")
        async with self.connected() as wires:
            rate, outcomes = await closed_loop(wires, seconds or self.plan.seconds, make_request, judge)
        return rate * sum(outcomes[name] for name in _DECIDED) / outcomes.total()


@asynccontextmanager
async def limited(bench: Bench) -> AsyncGenerator[Bench]:
    """Run a second house, whose API counts every request against limits; they are so wide that none is refused."""
    settings = {
        "FULLHOUSE_RATE_LIMITS": "on",
        "FULLHOUSE_RATE_LIMITS_BY_ADDRESS": _wide(BY_ADDRESS),
        "FULLHOUSE_RATE_LIMITS_BY_IDENTITY": _wide(BY_IDENTITY),
    }
    with tempfile.TemporaryDirectory(dir=bench.plan.folder.absolute(), prefix="limited-") as folder:
        async with running_house(Path(folder), settings=settings) as house:
            yield await prepare(bench.plan, house, bench.advance)


def _wide(purposes: Iterable[str]) -> str:
    return ",".join(f"{purpose}={QUOTA_MAX}/60" for purpose in purposes)


async def prepare(plan: Plan, house: House, advance: Advance) -> Bench:
    """Prepare a run on a house: somebody there sells."""
    return Bench(plan, house, await make_organizer(house.database), advance)


@dataclass(slots=True)
class Log:
    """What the clients were promised, in their own words: the ids of things that the API said it made."""

    acknowledged: list[bytes] = field(default_factory=list[bytes])

    def judge(self, _number: int, answer: Answer) -> str:
        """Name an outcome by its status, and note the id of what was made."""
        if answer.status == CREATED:
            at = answer.body.find(_ID_MARK) + len(_ID_MARK)
            self.acknowledged.append(answer.body[at : at + _ID_LENGTH])
            return ACCEPTED
        return outcome_of(answer)

    async def lost(self, pool: Pool, organization_id: UUID) -> list[str]:
        """Return a complaint for each promise that is not kept: a reservation that is not there, or twice there."""
        ids = [UUID(text.decode()) for text in self.acknowledged]
        complaints: list[str] = []
        if len(set(ids)) != len(ids):
            complaints.append(f"{len(ids) - len(set(ids))} reservations were promised twice")
        async with transaction(pool, organization_id) as conn:
            found = await conn.fetchval(
                """
                SELECT count(*) FROM reservations
                WHERE organization_id = $1 AND reservation_id = ANY($2) AND status IN ('held', 'sold')
                """,
                organization_id,
                ids,
            )
        if found != len(set(ids)):
            complaints.append(f"{len(set(ids)) - found} reservations were promised and are not there")
        return complaints


def by_status(_number: int, answer: Answer) -> str:
    """Name an outcome by its status."""
    return outcome_of(answer)


def outcome_of(answer: Answer) -> str:
    """Say in a word how a request ended."""
    if answer.status == LOST:
        return "connection lost"
    if answer.status < 400:
        return ACCEPTED
    return {409: _REFUSED, 429: TOLD_TO_WAIT, 503: TOLD_TO_WAIT}.get(answer.status, f"status {answer.status}")


async def broken_promises(house: House) -> list[str]:
    """Check every promise on the house's database; return what is broken in words."""
    findings = await verify(house.database)
    return [f"{found.check}: {found.row_count} rows" for found in findings if found.check not in _WAITS]


def figure(name: str, unit: str, values: Sequence[float]) -> Figure:
    """Make a figure of the values of all rounds."""
    return Figure(name, unit, tuple(values))
