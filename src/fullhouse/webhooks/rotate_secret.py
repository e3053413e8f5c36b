"""Rotating a secret: the next one signs from now on, the present one beside it while the overlap lasts."""

from uuid import UUID

from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.webhooks.queries import load_endpoint
from fullhouse.webhooks.rules import Endpoint, WebhookEndpointNotFound
from fullhouse.webhooks.signature import derive_webhook_secret
from fullhouse.webhooks.writes import lock_endpoint, raise_secret_number

SECONDS_OF_HOUR = 3600


async def rotate_secret(
    conn: Connection, server_key: bytes, organization_id: UUID, endpoint_id: UUID, overlap_hours: int
) -> tuple[Endpoint, str]:
    """Return the endpoint and its new secret. A second rotation inside the overlap ends the oldest secret at once.

    Raises ``WebhookEndpointNotFound``.
    """
    if await lock_endpoint(conn, organization_id, endpoint_id) is None:
        raise WebhookEndpointNotFound
    await raise_secret_number(conn, organization_id, endpoint_id, overlap_hours * SECONDS_OF_HOUR)
    await record(conn, organization_id, Act("webhook_endpoint.rotate_secret", "webhook_endpoint", endpoint_id))
    endpoint = await load_endpoint(conn, organization_id, endpoint_id)
    if endpoint is None:
        raise WebhookEndpointNotFound
    return endpoint, derive_webhook_secret(server_key, endpoint_id, endpoint.secret_number)
