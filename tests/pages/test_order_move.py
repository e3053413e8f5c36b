"""The page of an order whose session was moved: the buyer keeps or returns, until the time is over."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from harness.sale import ORDER_KEY, Sale
from harness.sold import pay_for
from harness.stock import SERVER_KEY
from pages.browsing import Buyer

from fullhouse.aftersales.moves.close_moves import close_due_moves
from fullhouse.aftersales.moves.move_session import MoveWish, move_session
from fullhouse.aftersales.moves.rules import Answer
from fullhouse.catalogue.rules import SessionChange
from fullhouse.core.actor import Actor, ActorKind
from fullhouse.core.secrets import derive_secret
from fullhouse.events.wall_clock import WallClock
from fullhouse.infra import system
from fullhouse.infra.postgres import EVERY_ORGANIZATION, transaction

PutOnSale = Callable[..., Awaitable[Sale]]
MANAGER = Actor(ActorKind.API_KEY)
NEW_DATE = SessionChange(dates={"starts": WallClock(datetime(2032, 3, 1, 20, 0))})  # noqa: DTZ001 (wall clock)


async def move(sale: Sale, default: Answer = Answer.KEEP) -> None:
    wish = MoveWish(NEW_DATE, system.now() + timedelta(days=2), default)
    async with transaction(sale.pool, EVERY_ORGANIZATION) as conn:
        await move_session(conn, system.make_id, sale.made.organization_id, sale.made.session_id, wish, MANAGER)


async def test_a_buyer_keeps_and_then_returns(buyer: Buyer, put_on_sale: PutOnSale) -> None:
    sale = await put_on_sale()
    sold = await pay_for(sale, await sale.hold(2), "en")
    await sold.issue(SERVER_KEY)
    path = f"/orders/{sold.order_id}/{derive_secret(ORDER_KEY, sold.order_id)}"
    assert (await buyer.open(path)).forms == []
    await move(sale, Answer.RETURN)
    asked = await buyer.open(path)
    assert "There is a new date" in asked.text
    assert "If you say nothing, they are returned by themselves." in asked.text
    kept = await buyer.send(asked.form("/move"), {"answer": "keep"})
    assert "You said that you keep them" in kept.text
    returned = await buyer.send(kept.form("/move"), {"answer": "return"})
    assert returned.title == "This order was refunded · Fullhouse"
    assert await sale.stock() == (10, 0, 0, 0)
    assert await sale.balances() == {"provider:simulated": 5000, "refunds": -5000}


async def test_an_answer_that_comes_too_late_is_said_to(buyer: Buyer, put_on_sale: PutOnSale) -> None:
    sale = await put_on_sale()
    sold = await pay_for(sale, await sale.hold(1), "en")
    await sold.issue(SERVER_KEY)
    path = f"/orders/{sold.order_id}/{derive_secret(ORDER_KEY, sold.order_id)}"
    await move(sale)
    asked = await buyer.open(path)
    await sale.pool.execute(
        "UPDATE session_moves SET answer_until = clock_timestamp() WHERE session_id = $1", sale.made.session_id
    )
    await close_due_moves(sale.pool, system.make_id)
    late = await buyer.send(asked.form("/move"), {"answer": "return"})
    assert "The time to answer is over" in late.text
    assert late.forms == []
    assert await sale.live_units(sold.order_id) == 1
