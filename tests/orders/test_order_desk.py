"""The order desk: orders that wait are placed together, each as if it were alone, and each key once."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID, uuid4

from harness.sale import ANA, ORDER_KEY, Sale, make_sale
from harness.stock import SERVER_KEY

from fullhouse.core.errors import DomainError, Invalid
from fullhouse.core.secrets import same_hash
from fullhouse.infra import system
from fullhouse.infra.http import KeptRefusal
from fullhouse.infra.idempotency import Claim, IdempotencyKeyReused
from fullhouse.infra.outbox import in_the_name_of
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.agree_price import give_away
from fullhouse.orders.answers import order_answer
from fullhouse.orders.lines import lines_of
from fullhouse.orders.persons.queries import load_holders
from fullhouse.orders.persons.rules import Given, Holder
from fullhouse.orders.placing.asked import Asked, OrderRequest, PlacedOrder
from fullhouse.orders.placing.encode_order import encode_order
from fullhouse.orders.placing.order_desk import OrderDesk, Ordered
from fullhouse.orders.placing.place_orders import place_orders
from fullhouse.orders.queries import load_contact, load_lines
from fullhouse.orders.rules import Contact, LimitPerBuyer, OrderExists, OrderStatus
from fullhouse.reservations.expire_reservations import expire_reservations
from fullhouse.reservations.place_reservation import Placed
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.reservations.rules import HeldSeat, ReservationExpired, ReservationNotFound


@asynccontextmanager
async def open_desk(pool: Pool) -> AsyncGenerator[OrderDesk]:
    desk = OrderDesk(pool, system.make_id, SERVER_KEY)
    yield desk
    await desk.close()


def wanted(sale: Sale, placed: Placed, email: str = ANA.email) -> OrderRequest:
    ids = (sale.made.organization_id, placed.reservation.reservation_id)
    return OrderRequest(*ids, placed.token, Contact(email, "Ana Souza"), "en")


def claim(sale: Sale, key: str, body: bytes = b"body") -> Claim:
    return Claim(sale.made.organization_id, "orders:test", key, body)


async def orders(sale: Sale) -> int:
    return await sale.pool.fetchval("SELECT count(*) FROM orders WHERE organization_id = $1", sale.made.organization_id)


async def placed_together(sale: Sale, requests: Sequence[OrderRequest]) -> list[PlacedOrder | DomainError | None]:
    asked = [Asked(request, f"request-{number}", None) for number, request in enumerate(requests)]
    async with transaction(sale.pool, sale.made.organization_id) as conn:
        return await place_orders(conn, system.make_id, ORDER_KEY, asked)


async def test_good_and_bad_ones_together_come_to_what_each_comes_to_alone(pool: Pool) -> None:
    sale = await make_sale(pool, capacity=20)
    good, other, lapsed, released, ordered = [await sale.hold(2) for _ in range(5)]
    before = await sale.order(placed=ordered)
    await sale.lapse(lapsed)
    async with transaction(pool, sale.made.organization_id) as conn:
        ids = (sale.made.organization_id, released.reservation.reservation_id)
        await release_reservation(conn, system.make_id, *ids)
    unasked = replace(wanted(sale, other), given=Given(answers={"nobody": "asked"}))
    outcomes = await placed_together(
        sale,
        [
            wanted(sale, good),
            wanted(sale, good),
            replace(wanted(sale, other), token=good.token),
            replace(wanted(sale, other), reservation_id=uuid4()),
            wanted(sale, lapsed),
            wanted(sale, released),
            wanted(sale, ordered),
            unasked,
            replace(wanted(sale, other, "eva.lima@example.com"), given=Given((Holder("Eva"), Holder("Rui")))),
        ],
    )
    assert [type(one) for one in outcomes] == [
        PlacedOrder,
        type(None),
        ReservationNotFound,
        ReservationNotFound,
        ReservationExpired,
        ReservationExpired,
        OrderExists,
        Invalid,
        PlacedOrder,
    ]
    assert isinstance(outcomes[6], OrderExists)
    assert outcomes[6].fields == {"order_id": str(before.order.order_id)}
    first, last = outcomes[0], outcomes[8]
    assert isinstance(first, PlacedOrder)
    assert isinstance(last, PlacedOrder)
    async with transaction(pool, sale.made.organization_id) as conn:
        ids = (sale.made.organization_id, last.order.order_id)
        assert await load_contact(conn, *ids) == Contact("eva.lima@example.com", "Ana Souza")
        assert await load_lines(conn, *ids) == last.lines
        assert await load_holders(conn, ids[0], [ids[1]]) == {ids[1]: {(1, 1): "Eva", (1, 2): "Rui"}}
    assert first.order.placed_at < first.expires_at
    assert [one.lines for one in (first, last)] == [before.lines] * 2
    told = await sale.messages("order.placed")
    assert [one.request_id for one in told[1:]] == ["request-0", "request-8"]
    assert await orders(sale) == 3


async def test_orders_that_wait_are_placed_and_each_has_its_own_secret(pool: Pool) -> None:
    sale = await make_sale(pool, capacity=40)
    held = [await sale.hold(1) for _ in range(12)]
    async with open_desk(pool) as desk:
        done = await asyncio.gather(*(desk.place(wanted(sale, one)) for one in held))
    assert [one.answer["reservation_id"] for one in done] == [str(one.reservation.reservation_id) for one in held]
    rows = await pool.fetch(
        "SELECT order_id, secret_hash FROM orders WHERE organization_id = $1", sale.made.organization_id
    )
    assert len(rows) == 12
    assert all(same_hash(desk.secret_of(row["order_id"]), row["secret_hash"]) for row in rows)


async def test_a_key_orders_once_within_a_batch_and_after_it(pool: Pool) -> None:
    sale = await make_sale(pool)
    held, late = await sale.hold(2), await sale.hold(1)
    await sale.lapse(late)
    async with open_desk(pool) as desk, open_desk(pool) as other:

        async def ask(place: Placed, key: str, body: bytes = b"body", at: OrderDesk = desk) -> Ordered | Exception:
            try:
                return await at.place(wanted(sale, place), claim(sale, key, body))
            except Exception as refused:  # noqa: BLE001 (compared below)
                return refused

        together = await asyncio.gather(*(ask(held, "k") for _ in range(4)), ask(late, "late"), ask(late, "late"))
        again = [await ask(held, "k", at=other), await ask(late, "late", at=other)]
        reused = await ask(held, "k", b"another body")
    answers = [one for one in (*together, *again) if isinstance(one, Ordered)]
    assert all(one.answer == answers[0].answer for one in answers)
    assert [one.replayed for one in answers] == [False, True, True, True, True]
    refusals = [one for one in (*together, *again) if isinstance(one, DomainError)]
    assert [type(one) for one in refusals] == [ReservationExpired, KeptRefusal, KeptRefusal]
    assert {one.code for one in refusals} == {"reservation_expired"}
    assert isinstance(reused, IdempotencyKeyReused)
    assert await orders(sale) == 1
    assert len(await sale.messages("order.placed")) == 1


async def test_two_desks_and_whoever_gives_back_come_to_one_order_each(pool: Pool) -> None:
    sale = await make_sale(pool, capacity=60)
    held = [await sale.hold(1) for _ in range(20)]
    barrier = asyncio.Barrier(41)

    async def ask(desk: OrderDesk, place: Placed) -> UUID | str:
        await barrier.wait()
        try:
            return (await desk.place(wanted(sale, place))).order_id
        except DomainError as refused:
            return refused.code

    async def give_back() -> None:
        await barrier.wait()
        for one in held[::5]:
            async with transaction(pool, sale.made.organization_id) as conn:
                ids = (sale.made.organization_id, one.reservation.reservation_id)
                await release_reservation(conn, system.make_id, *ids)

    async with open_desk(pool) as desk, open_desk(pool) as other:
        asks = [ask(at, place) for place in held for at in (desk, other)]
        *found, _ = await asyncio.gather(*asks, give_back())
    pairs = list(zip(found[::2], found[1::2], strict=True))
    for number, pair in enumerate(pairs):
        won = [one for one in pair if isinstance(one, UUID)]
        lost = {one for one in pair if isinstance(one, str)}
        assert len(won) == 1 or (number % 5 == 0 and not won)
        assert lost <= {"order_exists", "reservation_expired"}
    assert await orders(sale) == sum(isinstance(one, UUID) for one in found)


async def test_one_buyer_stays_within_the_limit_when_their_orders_are_placed_together(pool: Pool) -> None:
    sale = await make_sale(pool, capacity=20)
    await pool.execute("UPDATE events SET per_buyer_max = 3 WHERE event_id = $1", sale.made.event_id)
    held = [await sale.hold(1) for _ in range(6)]
    requests = [wanted(sale, one, f"ana+{number}@example.com") for number, one in enumerate(held[:5])]
    outcomes = await placed_together(sale, [*requests, wanted(sale, held[5], "eva@example.com")])
    assert [type(one) for one in outcomes] == [PlacedOrder] * 3 + [LimitPerBuyer] * 2 + [PlacedOrder]


async def test_one_that_costs_nothing_is_placed_alone_and_paid(pool: Pool) -> None:
    sale = await make_sale(pool, price_minor=0)
    held = [await sale.hold(1), await sale.hold(1)]
    assert await placed_together(sale, [wanted(sale, one) for one in held]) == [None, None]
    assert await orders(sale) == 0
    async with open_desk(pool) as desk:
        with in_the_name_of("free"):
            done = await asyncio.gather(*(desk.place(wanted(sale, one)) for one in held))
    assert [one.answer["status"] for one in done] == ["paid"] * 2
    assert {one.request_id for one in await sale.messages("order.placed", "order.paid")} == {"free"}
    assert await sale.stock() == (10, 0, 2, 0)


async def test_orders_and_the_sweeper_race_and_one_of_them_wins(pool: Pool) -> None:
    sale = await make_sale(pool, capacity=60)
    async with open_desk(pool) as desk:
        for _ in range(6):
            held = [await sale.hold(1) for _ in range(4)]
            ids = [one.reservation.reservation_id for one in held]
            await pool.execute(
                "UPDATE reservations SET expires_at = clock_timestamp() + interval '3 milliseconds'"
                " WHERE reservation_id = ANY ($1)",
                ids,
            )
            *found, _ = await asyncio.gather(
                *(desk.place(wanted(sale, one)) for one in held),
                expire_reservations(pool, system.make_id),
                return_exceptions=True,
            )
            rows = await pool.fetch(
                "SELECT reservation_id, status FROM reservations WHERE reservation_id = ANY ($1)", ids
            )
            status = {row["reservation_id"]: row["status"] for row in rows}
            for one, ordered in zip(ids, found, strict=True):
                if isinstance(ordered, Ordered):
                    assert status[one] == "held"
                else:
                    assert isinstance(ordered, ReservationExpired)


async def test_the_answer_is_what_the_models_of_the_document_say(pool: Pool) -> None:
    sale = await make_sale(pool)
    placed = await sale.order(2)
    seats = (HeldSeat(7, "A-1", "Row A, seat 1"), HeldSeat(8, "A-2", "Row A, seat 2"))
    seated = tuple(replace(line, seats=seats, area="Left") for line in placed.lines)
    items = (await sale.hold(2)).reservation.items
    given = lines_of(give_away(items, "press"))
    assert len(given) > len(items)
    paid = replace(
        placed.order, status=OrderStatus.PAID, paid_at=placed.order.placed_at.replace(microsecond=0), reason="x"
    )
    for one in (
        placed,
        PlacedOrder(replace(placed.order, language="pt_BR"), seated, placed.expires_at),
        PlacedOrder(paid, given, placed.expires_at),
    ):
        model = order_answer(one.order, one.lines, None, one.expires_at)
        assert encode_order(one) == model.model_dump(mode="json")
        assert list(encode_order(one)) == list(model.model_dump())
