"""Replaying: a delivery, or all that failed since an instant, is sent again with fresh attempts and its old id."""

from datetime import datetime
from uuid import UUID

from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.webhooks.queries import load_delivery
from fullhouse.webhooks.rules import (
    Delivery,
    EndpointStatus,
    WebhookDeliveryNotFound,
    WebhookEndpointDisabled,
    WebhookEndpointNotFound,
)
from fullhouse.webhooks.writes import lock_endpoint, restart_delivery, restart_failed

REPLAYED_MAX = 5_000
"""Deliveries that one call replays; a caller that got as many calls again."""


async def replay_delivery(conn: Connection, organization_id: UUID, endpoint_id: UUID, delivery_id: UUID) -> Delivery:
    """Send one delivery again, whatever became of it.

    Raises ``WebhookEndpointNotFound``, ``WebhookEndpointDisabled`` and ``WebhookDeliveryNotFound``.
    """
    await lock_enabled(conn, organization_id, endpoint_id)
    if not await restart_delivery(conn, organization_id, endpoint_id, delivery_id):
        raise WebhookDeliveryNotFound
    act = Act("webhook_delivery.replay", "webhook_delivery", delivery_id, {"endpoint_id": str(endpoint_id)})
    await record(conn, organization_id, act)
    found = await load_delivery(conn, organization_id, endpoint_id, delivery_id)
    if found is None:
        raise WebhookDeliveryNotFound
    return found[0]


async def replay_failed(conn: Connection, organization_id: UUID, endpoint_id: UUID, since: datetime) -> int:
    """Send again what failed of the messages since an instant; return how many, at most ``REPLAYED_MAX``.

    Raises ``WebhookEndpointNotFound`` and ``WebhookEndpointDisabled``.
    """
    await lock_enabled(conn, organization_id, endpoint_id)
    count = await restart_failed(conn, organization_id, endpoint_id, since, REPLAYED_MAX)
    act = Act("webhook_endpoint.replay", "webhook_endpoint", endpoint_id, {"count": count})
    await record(conn, organization_id, act)
    return count


async def lock_enabled(conn: Connection, organization_id: UUID, endpoint_id: UUID) -> None:
    """Make sure that an endpoint is there and enabled, and stays so until the transaction ends."""
    endpoint = await lock_endpoint(conn, organization_id, endpoint_id)
    if endpoint is None:
        raise WebhookEndpointNotFound
    if endpoint.status is EndpointStatus.DISABLED:
        reason = endpoint.disabled_reason
        raise WebhookEndpointDisabled(disabled_reason=reason.value if reason else None)
