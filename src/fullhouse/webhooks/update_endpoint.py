"""Changing what the owner of an endpoint decides."""

from dataclasses import dataclass
from uuid import UUID

from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.webhooks.queries import load_endpoint
from fullhouse.webhooks.rules import (
    DisabledReason,
    Endpoint,
    EndpointFields,
    EndpointStatus,
    WebhookEndpointNotFound,
)
from fullhouse.webhooks.writes import change_endpoint, disable_endpoint, enable_endpoint, lock_endpoint


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """What to change; None leaves it as it is."""

    url: str | None = None
    description: str | None = None
    types: tuple[str, ...] | None = None
    status: EndpointStatus | None = None


async def update_endpoint(
    conn: Connection, organization_id: UUID, endpoint_id: UUID, change: EndpointChange
) -> Endpoint:
    """Change an endpoint and return it as it is then. Raises ``WebhookEndpointNotFound``.

    Disabling fails what waits; enabling begins with a clean record, and sends only what comes then or is replayed.
    """
    before = await lock_endpoint(conn, organization_id, endpoint_id)
    if before is None:
        raise WebhookEndpointNotFound
    fields = EndpointFields(
        url=before.url if change.url is None else change.url,
        description=before.description if change.description is None else change.description,
        types=before.types if change.types is None else change.types,
    )
    await change_endpoint(conn, organization_id, endpoint_id, fields)
    if change.status is EndpointStatus.ENABLED:
        await enable_endpoint(conn, organization_id, endpoint_id)
    elif change.status is EndpointStatus.DISABLED:
        await disable_endpoint(conn, organization_id, endpoint_id, DisabledReason.BY_REQUEST)
    names = [name for name in ("url", "description", "types", "status") if getattr(change, name) is not None]
    act = Act("webhook_endpoint.update", "webhook_endpoint", endpoint_id, {"fields": names})
    await record(conn, organization_id, act)
    after = await load_endpoint(conn, organization_id, endpoint_id)
    return after or before
