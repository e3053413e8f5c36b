"""Creating an endpoint."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection
from fullhouse.webhooks.queries import count_endpoints
from fullhouse.webhooks.rules import ENDPOINTS_MAX, Endpoint, EndpointFields, TooManyWebhookEndpoints
from fullhouse.webhooks.signature import derive_webhook_secret
from fullhouse.webhooks.writes import insert_endpoint, lock_endpoints


async def create_endpoint(
    conn: Connection, make_id: MakeId, server_key: bytes, organization_id: UUID, fields: EndpointFields
) -> tuple[Endpoint, str]:
    """Enter an endpoint, whose URL was read, and return it with its first secret.

    Raises ``TooManyWebhookEndpoints``.
    """
    await lock_endpoints(conn, organization_id)
    if await count_endpoints(conn, organization_id) >= ENDPOINTS_MAX:
        raise TooManyWebhookEndpoints(endpoints_max=ENDPOINTS_MAX)
    endpoint = await insert_endpoint(conn, organization_id, make_id(), fields)
    act = Act("webhook_endpoint.create", "webhook_endpoint", endpoint.endpoint_id)
    await record(conn, organization_id, act)
    return endpoint, derive_webhook_secret(server_key, endpoint.endpoint_id, endpoint.secret_number)
