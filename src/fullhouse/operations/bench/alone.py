"""A lone buyer: whole holds at the desk, and by turns the one statement that writes as much, with nothing around it."""

import time
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from fullhouse.infra import system
from fullhouse.infra.idempotency import Claim
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.operations.bench.desk_process import open_office
from fullhouse.operations.bench.stock import OnSale
from fullhouse.reservations.ahead.hold_at_version import HoldBatch
from fullhouse.reservations.ahead.hold_one_at_version import hold_one_at_version
from fullhouse.reservations.decide import Granted, Request
from fullhouse.reservations.hold_batch import hold_batch
from fullhouse.reservations.place_reservation import BoxOffice
from fullhouse.reservations.rules import ItemRequest
from fullhouse.reservations.stock import Places
from fullhouse.reservations.wish import Memory, Wish, idempotency_scope

_IN_A_ROW: Final = 25
"""So many of each by turns, so that both meet the same machine."""
_PRINT: Final = b"fingerprint"
_HASH: Final = bytes(32)


@dataclass(slots=True)
class Alone:
    """Seconds of each."""

    holds: list[float] = field(default_factory=list[float])
    statements: list[float] = field(default_factory=list[float])

    @property
    def ratio(self) -> float:
        """How much longer the median hold takes."""
        return median(self.holds) / median(self.statements)


async def hold_alone(pool: Pool, at_desk: OnSale, by_statement: OnSale, seconds: float) -> Alone:
    """Hold one place after the other, each with a key, of one session at its desk and of another by the statement."""
    found, run, number = Alone(), system.random_text(6), 0
    office, statement = open_office(pool), await _statement(pool, by_statement)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for _ in range(_IN_A_ROW):
            number += 1
            found.holds.append(await _at_desk(office, at_desk, f"{run}{number}"))
        async with connection(pool, by_statement.organization_id) as conn:
            for _ in range(_IN_A_ROW):
                number += 1
                granted = Granted(Request(system.make_id(), (), _HASH), statement.places)
                claim = Claim(by_statement.organization_id, statement.batch.scope, f"{run}{number}", _PRINT)
                message_id = system.make_id()
                began = time.perf_counter()
                await hold_one_at_version(conn, message_id, statement.batch, granted, claim)
                found.statements.append(time.perf_counter() - began)
    await office.close()
    return found


async def _at_desk(office: BoxOffice, on_sale: OnSale, key: str) -> float:
    items = (ItemRequest(on_sale.ticket_type_id, quantity=1),)
    began = time.perf_counter()
    await office.place_reservation(on_sale.session_id, items, key, _PRINT)
    return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class _Statement:
    """What each statement says again."""

    batch: HoldBatch
    places: Places


async def _statement(pool: Pool, on_sale: OnSale) -> _Statement:
    """Hold once, to learn the terms and the places that each of the statements writes."""
    memory = Memory(on_sale.organization_id, on_sale.session_id)
    wish = Wish(Request(system.make_id(), (ItemRequest(on_sale.ticket_type_id, quantity=1),), _HASH))
    async with transaction(pool, on_sale.organization_id) as conn:
        (outcome,) = await hold_batch(conn, system.make_id, memory, [wish])
    assert memory.terms is not None  # noqa: S101 (the batch loaded them)
    assert memory.stock is not None  # noqa: S101
    known = memory.stock.remembered(memory.terms, wish.request.items)
    assert known is not None, outcome  # noqa: S101 (it asked for no numbered seats)
    scope = idempotency_scope(on_sale.session_id)
    batch = HoldBatch(memory.terms, memory.stock.version, memory.terms_changes, scope)
    return _Statement(batch, known.places)
