"""The page of an order in each of its states, and what can be done from it."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest
from harness.sale import ORDER_KEY, Sale
from harness.stock import SERVER_KEY
from pages.browsing import Buyer, Visit

from fullhouse.aftersales.refund_order import refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.core.secrets import derive_secret
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.orders.place_order import PlacedOrder
from fullhouse.payments.rules import PaymentStatus
from fullhouse.receipts.issue_receipt import issue_credit_note, issue_receipt
from fullhouse.reservations.expire_reservations import expire_reservations
from fullhouse.tickets.issue_tickets import issue_tickets

PutOnSale = Callable[..., Awaitable[Sale]]
HELD_TWO = (10, 2, 0, 0)
ALL_BACK = (10, 0, 0, 0)


def path_of(placed: PlacedOrder) -> str:
    return f"/orders/{placed.order.order_id}/{derive_secret(ORDER_KEY, placed.order.order_id)}"


async def pay(buyer: Buyer, page: Visit, outcome: str) -> Visit:
    return await buyer.send(page.form("/pay"), {"outcome": outcome})


async def let_lapse(pool: Pool, placed: PlacedOrder) -> None:
    await pool.execute(
        "UPDATE reservations SET expires_at = clock_timestamp() - interval '1 s' WHERE reservation_id = $1",
        placed.order.reservation_id,
    )


async def test_receipts_and_credit_notes_are_linked(buyer: Buyer, put_on_sale: PutOnSale, pool: Pool) -> None:
    sale = await put_on_sale()
    placed = await sale.order()
    path = path_of(placed)
    early = await buyer.open(f"{path}/receipt.pdf")
    assert (early.status, early.title) == (404, "There is nothing here · Fullhouse")
    await sale.pay(placed.order.order_id)
    await sale.deliver()
    await sale.work()
    ids = (sale.made.organization_id, placed.order.order_id)
    async with transaction(pool, ids[0]) as conn:
        await refund_order(conn, system.make_id, *ids, RefundWish(amount_minor=100))
    await sale.work()
    soon = await buyer.client.get(f"{path}/credit-note.pdf")
    assert (soon.status_code, soon.headers["location"]) == (303, path)
    [refund] = await sale.refunds(placed.order.order_id)
    async with transaction(pool, ids[0]) as conn:
        receipt = await issue_receipt(conn, system.make_id, *ids)
        note = await issue_credit_note(conn, system.make_id, ids[0], refund.refund_id)
    assert receipt is not None
    assert note is not None
    page = await buyer.open(path)
    links = [f"{path}/receipts/{one.receipt_id}/receipt.pdf" for one in (receipt, note)]
    assert [link for link in page.links if link.endswith("/receipt.pdf")] == links
    assert f"Receipt {receipt.label}" in page.text
    assert f"Credit note {note.label}" in page.text
    newest = (f"{path}/credit-note.pdf", "credit-note")
    for link, name in ((links[0], "receipt"), (links[1], "credit-note"), (f"{path}/receipt.pdf", "receipt"), newest):
        answer = await buyer.client.get(link)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert answer.headers["content-disposition"].startswith(f'inline; filename="{name}-')
        assert answer.content.startswith(b"%PDF-")
    stranger = await buyer.client.get(links[0].replace(path.rpartition("/")[2], "wrong"))
    assert stranger.status_code == 404


@pytest.mark.parametrize("outcome", ["succeed", "lost_answer"])
async def test_a_payment_leads_to_tickets(buyer: Buyer, put_on_sale: PutOnSale, pool: Pool, outcome: str) -> None:
    sale = await put_on_sale()
    placed = await sale.order()
    waiting = await pay(buyer, await buyer.open(path_of(placed)), outcome)
    assert waiting.title == "Waiting for your payment · Fullhouse"
    assert waiting.refresh == f"2;url={path_of(placed)}?looked=1"
    await sale.deliver()
    await sale.work()
    issuing = await buyer.open(f"{path_of(placed)}?looked=10")
    assert issuing.title == "Thank you! · Fullhouse"
    assert issuing.refresh == f"5;url={path_of(placed)}?looked=11"
    async with transaction(pool, sale.made.organization_id) as conn:
        tickets = await issue_tickets(
            conn, system.make_id, SERVER_KEY, sale.made.organization_id, placed.order.order_id
        )
    ready = await buyer.open(path_of(placed))
    assert ready.title == "Your tickets are ready · Fullhouse"
    assert ready.refresh is None
    assert ready.forms == []
    wanted = {f"{path_of(placed)}/tickets/{ticket.ticket_id}/qr.svg" for ticket in tickets}
    assert {picture for picture in ready.pictures if picture.endswith("/qr.svg")} == wanted
    assert "Ticket 1 of 2" in ready.text
    for picture in sorted(wanted):
        answer = await buyer.client.get(picture)
        assert answer.headers["content-type"] == "image/svg+xml"
        assert answer.headers["cache-control"] == "no-store"
        assert "<svg" in answer.text
    pdf = await buyer.client.get(f"{path_of(placed)}/tickets.pdf")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.headers["content-disposition"].startswith("attachment; filename=")
    assert pdf.content.startswith(b"%PDF-")


async def test_a_declined_payment_can_be_tried_again_until_the_last_try(buyer: Buyer, put_on_sale: PutOnSale) -> None:
    sale = await put_on_sale()
    placed = await sale.order()
    page = await buyer.open(path_of(placed))
    for left in ("You can try 2 more times.", "You can try 1 more time."):
        await pay(buyer, page, "decline")
        await sale.deliver()
        await sale.work()
        page = await buyer.open(path_of(placed))
        assert "The payment was declined" in page.text
        assert left in page.text
        assert await sale.stock() == HELD_TWO
    await pay(buyer, page, "decline")
    await sale.deliver()
    await sale.work()
    last = await buyer.open(path_of(placed))
    assert last.title == "This order was not paid · Fullhouse"
    assert f"/sessions/{sale.made.session_id}" in last.links
    assert last.forms == []
    assert await sale.stock() == ALL_BACK


async def test_an_old_form_starts_no_second_payment(buyer: Buyer, put_on_sale: PutOnSale) -> None:
    sale = await put_on_sale()
    placed = await sale.order()
    page = await buyer.open(path_of(placed))
    await pay(buyer, page, "decline")
    await pay(buyer, page, "decline")
    await sale.deliver()
    await sale.work()
    await pay(buyer, page, "decline")
    payments = await sale.payments(placed.order.order_id)
    assert [payment.status for payment in payments] == [PaymentStatus.DECLINED]


async def test_an_order_is_cancelled_while_it_waits(buyer: Buyer, put_on_sale: PutOnSale) -> None:
    sale = await put_on_sale()
    placed = await sale.order()
    page = await buyer.open(path_of(placed))
    cancelled = await buyer.send(page.form("/cancel"))
    again = await buyer.send(page.form("/cancel"))
    too_late = await pay(buyer, page, "succeed")
    assert await sale.stock() == ALL_BACK
    for shown in (cancelled, again, too_late):
        assert shown.title == "This order is cancelled · Fullhouse"
        assert f"/sessions/{sale.made.session_id}" in shown.links
    assert await sale.payments(placed.order.order_id) == ()


async def test_an_open_payment_is_cancelled_with_its_order(buyer: Buyer, put_on_sale: PutOnSale) -> None:
    sale = await put_on_sale()
    placed = await sale.order()
    waiting = await pay(buyer, await buyer.open(path_of(placed)), "late")
    cancelled = await buyer.send(waiting.form("/cancel"))
    assert cancelled.title == "This order is cancelled · Fullhouse"
    assert await sale.stock() == ALL_BACK


async def test_time_runs_out(buyer: Buyer, put_on_sale: PutOnSale, pool: Pool) -> None:
    sale = await put_on_sale()
    placed = await sale.order()
    page = await buyer.open(path_of(placed))
    await let_lapse(pool, placed)
    before_the_sweep = await buyer.open(path_of(placed))
    too_late = await pay(buyer, page, "succeed")
    await expire_reservations(pool, system.make_id)
    await sale.work()
    after = await buyer.open(path_of(placed))
    for shown in (before_the_sweep, too_late, after):
        assert shown.title == "The time to pay has run out · Fullhouse"
        assert f"/sessions/{sale.made.session_id}" in shown.links
    assert await sale.payments(placed.order.order_id) == ()


async def test_money_without_places_goes_back(buyer: Buyer, put_on_sale: PutOnSale) -> None:
    sale = await put_on_sale(capacity=2)
    placed = await sale.order()
    waiting = await pay(buyer, await buyer.open(path_of(placed)), "late")
    await buyer.send(waiting.form("/cancel"))
    await sale.order()
    [payment] = await sale.payments(placed.order.order_id)
    await sale.make_due(payment)
    await sale.deliver()
    await sale.work()
    page = await buyer.open(path_of(placed))
    assert "€50.00 has been paid back to you." in page.text
    assert page.title == "This order was refunded · Fullhouse"
    assert "tickets of this order" not in page.text


async def test_a_refunded_order_shows_no_codes(buyer: Buyer, put_on_sale: PutOnSale, pool: Pool) -> None:
    sale = await put_on_sale()
    placed = await sale.order()
    await pay(buyer, await buyer.open(path_of(placed)), "succeed")
    await sale.deliver()
    await sale.work()
    async with transaction(pool, sale.made.organization_id) as conn:
        [ticket, _] = await issue_tickets(
            conn, system.make_id, SERVER_KEY, sale.made.organization_id, placed.order.order_id
        )
    async with transaction(pool, sale.made.organization_id) as conn:
        await refund_order(
            conn, system.make_id, sale.made.organization_id, placed.order.order_id, RefundWish(unit_ids=())
        )
    page = await buyer.open(path_of(placed))
    assert page.title == "This order was refunded · Fullhouse"
    assert "The tickets of this order are not valid any more." in page.text
    assert "€50.00 is on its way back to you." in page.text
    assert (await buyer.open(f"{path_of(placed)}/tickets/{ticket.ticket_id}/qr.svg")).status == 404
    assert (await buyer.open(f"{path_of(placed)}/tickets.pdf")).status == 404


async def test_the_secret_is_the_only_way_in(buyer: Buyer, put_on_sale: PutOnSale) -> None:
    sale = await put_on_sale()
    mine, other = await sale.order(), await sale.order()
    page = await buyer.open(path_of(mine))
    assert page.answer.headers["referrer-policy"] == "no-referrer"
    assert page.answer.headers["cache-control"] == "no-store"
    assert page.answer.headers["x-robots-tag"] == "noindex"
    wrong = [
        f"/orders/{mine.order.order_id}/{derive_secret(ORDER_KEY, other.order.order_id)}",
        f"/orders/{uuid4()}/{derive_secret(ORDER_KEY, mine.order.order_id)}",
        f"/orders/{mine.order.order_id}/é",
    ]
    for path in wrong:
        assert (await buyer.open(path)).status == 404
        for ending in ("/pay", "/cancel"):
            form = page.form(ending)
            form.action = path + ending
            assert (await buyer.post(form)).status_code == 404
        assert (await buyer.open(f"{path}/tickets.pdf")).status == 404
    assert (await buyer.open(f"/orders/{mine.order.order_id}")).status == 404
    assert await sale.stock() == (10, 4, 0, 0)
    assert await sale.payments(mine.order.order_id) == ()


async def test_no_get_changes_anything(buyer: Buyer, put_on_sale: PutOnSale) -> None:
    sale = await put_on_sale()
    placed = await sale.order()
    for ending in ("/pay", "/cancel"):
        page = await buyer.open(path_of(placed) + ending)
        assert page.status == 405
        assert "This page cannot be opened like this" in page.text
    assert await sale.stock() == HELD_TWO


async def test_forms_of_an_order_come_from_its_page(buyer: Buyer, put_on_sale: PutOnSale) -> None:
    sale = await put_on_sale()
    placed = await sale.order()
    page = await buyer.open(path_of(placed))
    for ending in ("/pay", "/cancel"):
        answer = await buyer.post(page.form(ending), headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
    # Its page sends no referrer, so browsers without Sec-Fetch-Site send the origin "null".
    null = await buyer.client.post(f"{path_of(placed)}/cancel", headers={"Origin": "null"})
    assert await sale.payments(placed.order.order_id) == ()
    assert null.status_code == 303
    assert await sale.stock() == ALL_BACK


async def test_an_outcome_that_does_not_exist_starts_nothing(buyer: Buyer, put_on_sale: PutOnSale) -> None:
    sale = await put_on_sale()
    placed = await sale.order()
    page = await pay(buyer, await buyer.open(path_of(placed)), "win")
    assert page.status == 400
    assert await sale.payments(placed.order.order_id) == ()


async def test_notices_come_from_a_list(buyer: Buyer, put_on_sale: PutOnSale) -> None:
    placed = await (await put_on_sale()).order()
    known = await buyer.open(f"{path_of(placed)}?notice=provider_unavailable")
    unknown = await buyer.open(f"{path_of(placed)}?notice=<b>Send+money</b>&looked=x")
    assert "The payment provider does not answer" in known.text
    assert "Send money" not in unknown.text
    assert unknown.status == 200
