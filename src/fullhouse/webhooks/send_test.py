"""A test send: a message that tells of nothing, tried once, so that its owner sees what the receiver answers."""

from uuid import UUID

from fullhouse.core.clock import Clock
from fullhouse.core.ids import MakeId
from fullhouse.core.message import Message
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.webhooks.enqueue_deliveries import write_body
from fullhouse.webhooks.messages import WebhookTested
from fullhouse.webhooks.queries import load_delivery
from fullhouse.webhooks.replay_deliveries import lock_enabled
from fullhouse.webhooks.rules import Delivery, WebhookDeliveryNotFound
from fullhouse.webhooks.writes import insert_test


async def send_test(
    conn: Connection, make_id: MakeId, clock: Clock, organization_id: UUID, endpoint_id: UUID
) -> Delivery:
    """Enqueue a test message for an endpoint, whatever types it chose.

    Raises ``WebhookEndpointNotFound`` and ``WebhookEndpointDisabled``.
    """
    await lock_enabled(conn, organization_id, endpoint_id)
    delivery_id = make_id()
    fact = WebhookTested(organization_id, endpoint_id)
    message = Message(
        organization_id=organization_id,
        message_id=delivery_id,
        type=fact.type,
        version=fact.version,
        key=fact.key,
        data={"endpoint_id": fact.data()["endpoint_id"]},
        request_id=None,
        occurred_at=clock().isoformat(),
    )
    await insert_test(conn, organization_id, endpoint_id, delivery_id, type_=fact.type, body=write_body(message))
    await record(conn, organization_id, Act("webhook_endpoint.test", "webhook_endpoint", endpoint_id))
    found = await load_delivery(conn, organization_id, endpoint_id, delivery_id)
    if found is None:
        raise WebhookDeliveryNotFound
    return found[0]
