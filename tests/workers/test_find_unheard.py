"""Webhooks are not told of sellers who have none, and all else is told."""

from typing import Any

from harness.web import SECRET_KEY, make_seller

from fullhouse.infra import outbox_leases, system
from fullhouse.infra.brokers.postgres import PostgresBroker
from fullhouse.infra.postgres import EVERY_ORGANIZATION, transaction
from fullhouse.reservations.messages import ReservationHeld, ReservationReleased
from fullhouse.webhooks.create_endpoint import create_endpoint
from fullhouse.webhooks.rules import EndpointFields
from fullhouse.workers.relay_outbox import Relay
from fullhouse.workers.subscriptions import QUEUES, find_unheard


async def test_holds_of_a_seller_without_endpoints_are_sent_to_nobody_and_those_of_others_are(parts: Any) -> None:
    broker = PostgresBroker(parts.pool, "", system.make_id, find_unheard)
    await broker.declare(QUEUES)
    silent, heard = await make_seller(parts.pool), await make_seller(parts.pool, "Circo Lua")
    session_id = system.make_id()
    fields = EndpointFields("https://hooks.example/", "", ("order.paid",))
    async with transaction(parts.pool, heard.organization_id) as conn:
        await create_endpoint(conn, system.make_id, SECRET_KEY, heard.organization_id, fields)
    async with transaction(parts.pool, EVERY_ORGANIZATION) as conn:
        await outbox_leases.prepare_leases(conn)
    await parts.commit(
        *(ReservationHeld(seller.organization_id, session_id, 1, (session_id,)) for seller in (silent, heard)),
        ReservationReleased(silent.organization_id, session_id, 2, (session_id,)),
    )

    relay = Relay(parts.pool, broker, system.make_id, system.randomness)
    assert await relay.send_due() == 3

    rows = await parts.pool.fetch("SELECT queue, organization_id FROM broker_messages")
    assert {(row["queue"], row["organization_id"]) for row in rows} == {
        ("webhooks.enqueue", heard.organization_id),
        ("orders.expire", silent.organization_id),
    }
    assert len(rows) == 2, "of the seller without endpoints only what orders react to, and no webhook"
    assert await parts.pool.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 0
    assert await relay.send_due() == 0
