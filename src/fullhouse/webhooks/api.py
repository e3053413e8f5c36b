"""Routes of webhooks. They only write down what is to be sent: nothing here connects to anybody."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from fullhouse.access.http import requires
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.http import Cursor, Limit, Page, ResourcesDep, decode_cursor, page_of, problems
from fullhouse.infra.postgres import connection, transaction
from fullhouse.webhooks.answers import (
    DeliveryAnswer,
    DeliveryDetailAnswer,
    EndpointAnswer,
    EndpointChangeBody,
    EndpointWithSecretAnswer,
    NewEndpointBody,
    ReplayBody,
    ReplayedAnswer,
    RotationBody,
    delivery_answer,
    delivery_detail,
    endpoint_fields,
)
from fullhouse.webhooks.create_endpoint import create_endpoint
from fullhouse.webhooks.destination import read_destination
from fullhouse.webhooks.queries import list_deliveries, list_endpoints, load_attempts, load_delivery, load_endpoint
from fullhouse.webhooks.replay_deliveries import REPLAYED_MAX, replay_delivery, replay_failed
from fullhouse.webhooks.rotate_secret import rotate_secret
from fullhouse.webhooks.rules import (
    DeliveryStatus,
    EndpointFields,
    WebhookDeliveryNotFound,
    WebhookEndpointNotFound,
)
from fullhouse.webhooks.send_test import send_test
from fullhouse.webhooks.update_endpoint import EndpointChange, update_endpoint
from fullhouse.webhooks.writes import delete_endpoint

router = APIRouter(tags=["webhooks"], dependencies=[requires("webhook:write")])

ATTEMPTS_SHOWN_MAX = 50
_ENDPOINTS = "/organizations/{organization_id}/webhook-endpoints"
_ENDPOINT = _ENDPOINTS + "/{endpoint_id}"
_DELIVERY = _ENDPOINT + "/deliveries/{delivery_id}"
_LIST = "webhook_endpoints"
_LOG = "webhook_deliveries"


async def get_allow_private(request: Request) -> bool:
    """Say whether this process takes private addresses, for development."""
    allowed: bool = request.app.state.webhook_allow_private
    return allowed


AllowPrivate = Annotated[bool, Depends(get_allow_private)]


@router.post(_ENDPOINTS, status_code=201, responses=problems(404, 409))
async def post_endpoint(
    organization_id: UUID, body: NewEndpointBody, resources: ResourcesDep, allow_private: AllowPrivate
) -> EndpointWithSecretAnswer:
    """Make an endpoint. Its secret is in this answer and nowhere else."""
    read_destination(body.url, allow_private=allow_private)
    fields = EndpointFields(body.url, body.description, tuple(body.types))
    async with transaction(resources.pool, organization_id) as conn:
        endpoint, secret = await create_endpoint(conn, resources.make_id, resources.secret_key, organization_id, fields)
    return EndpointWithSecretAnswer(**endpoint_fields(endpoint), secret=secret)


@router.get(_ENDPOINTS, responses=problems(404))
async def get_endpoints(
    organization_id: UUID, resources: ResourcesDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[EndpointAnswer]:
    """List the endpoints, oldest first."""
    after = decode_cursor(_LIST, cursor, (UUID,))
    async with connection(resources.pool, organization_id) as conn:
        found = await list_endpoints(conn, organization_id, after=after[0] if after else None, limit=limit + 1)
    return page_of(
        _LIST, found, limit, lambda one: EndpointAnswer(**endpoint_fields(one)), lambda one: (one.endpoint_id,)
    )


@router.get(_ENDPOINT, responses=problems(404))
async def get_endpoint(organization_id: UUID, endpoint_id: UUID, resources: ResourcesDep) -> EndpointAnswer:
    """Show an endpoint; where it is disabled, why and since when."""
    async with connection(resources.pool, organization_id) as conn:
        endpoint = await load_endpoint(conn, organization_id, endpoint_id)
    if endpoint is None:
        raise WebhookEndpointNotFound
    return EndpointAnswer(**endpoint_fields(endpoint))


@router.patch(_ENDPOINT, responses=problems(404))
async def patch_endpoint(
    organization_id: UUID,
    endpoint_id: UUID,
    body: EndpointChangeBody,
    resources: ResourcesDep,
    allow_private: AllowPrivate,
) -> EndpointAnswer:
    """Change an endpoint, disable it (what waits has then failed), or enable it again."""
    if body.url is not None:
        read_destination(body.url, allow_private=allow_private)
    types = None if body.types is None else tuple(body.types)
    change = EndpointChange(body.url, body.description, types, body.status)
    async with transaction(resources.pool, organization_id) as conn:
        endpoint = await update_endpoint(conn, organization_id, endpoint_id, change)
    return EndpointAnswer(**endpoint_fields(endpoint))


@router.delete(_ENDPOINT, status_code=204, responses=problems(404))
async def remove_endpoint(organization_id: UUID, endpoint_id: UUID, resources: ResourcesDep) -> None:
    """Delete an endpoint with its log."""
    async with transaction(resources.pool, organization_id) as conn:
        if not await delete_endpoint(conn, organization_id, endpoint_id):
            raise WebhookEndpointNotFound
        await record(conn, organization_id, Act("webhook_endpoint.delete", "webhook_endpoint", endpoint_id))


@router.post(_ENDPOINT + "/rotate-secret", responses=problems(404))
async def post_rotation(
    organization_id: UUID, endpoint_id: UUID, body: RotationBody, resources: ResourcesDep
) -> EndpointWithSecretAnswer:
    """Go over to a new secret, shown in this answer alone. The one before signs too until `previous_secret_until`."""
    async with transaction(resources.pool, organization_id) as conn:
        endpoint, secret = await rotate_secret(
            conn, resources.secret_key, organization_id, endpoint_id, body.overlap_hours
        )
    return EndpointWithSecretAnswer(**endpoint_fields(endpoint), secret=secret)


@router.post(_ENDPOINT + "/test", status_code=202, responses=problems(404, 409))
async def post_test(organization_id: UUID, endpoint_id: UUID, resources: ResourcesDep) -> DeliveryAnswer:
    """Send a message of type `webhook.tested`, once; its delivery tells what came of it."""
    async with transaction(resources.pool, organization_id) as conn:
        delivery = await send_test(conn, resources.make_id, resources.clock, organization_id, endpoint_id)
    return delivery_answer(delivery)


@router.post(_ENDPOINT + "/replay", status_code=202, responses=problems(404, 409))
async def post_replay_failed(
    organization_id: UUID, endpoint_id: UUID, body: ReplayBody, resources: ResourcesDep
) -> ReplayedAnswer:
    """Send again what failed of the messages since an instant, those that a disabled endpoint missed too."""
    async with transaction(resources.pool, organization_id) as conn:
        count = await replay_failed(conn, organization_id, endpoint_id, body.since)
    return ReplayedAnswer(count=count, more=count == REPLAYED_MAX)


@router.get(_ENDPOINT + "/deliveries", responses=problems(404))
async def get_deliveries(
    organization_id: UUID,
    endpoint_id: UUID,
    resources: ResourcesDep,
    status: DeliveryStatus | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[DeliveryAnswer]:
    """List what was sent and is to be sent, the newest first; the log reaches back thirty days."""
    before = decode_cursor(_LOG, cursor, (UUID,))
    async with connection(resources.pool, organization_id) as conn:
        if await load_endpoint(conn, organization_id, endpoint_id) is None:
            raise WebhookEndpointNotFound
        found = await list_deliveries(
            conn,
            organization_id,
            endpoint_id,
            status=status,
            before=before[0] if before else None,
            limit=limit + 1,
        )
    return page_of(_LOG, found, limit, delivery_answer, lambda one: (one.delivery_id,))


@router.get(_DELIVERY, responses=problems(404))
async def get_delivery(
    organization_id: UUID, endpoint_id: UUID, delivery_id: UUID, resources: ResourcesDep
) -> DeliveryDetailAnswer:
    """Show a delivery with its body and each attempt."""
    async with connection(resources.pool, organization_id) as conn:
        found = await load_delivery(conn, organization_id, endpoint_id, delivery_id)
        if found is None:
            raise WebhookDeliveryNotFound
        attempts = await load_attempts(conn, organization_id, delivery_id, ATTEMPTS_SHOWN_MAX)
    delivery, body = found
    return delivery_detail(delivery, body, attempts)


@router.post(_DELIVERY + "/replay", status_code=202, responses=problems(404, 409))
async def post_replay(
    organization_id: UUID, endpoint_id: UUID, delivery_id: UUID, resources: ResourcesDep
) -> DeliveryAnswer:
    """Send one delivery again, whatever became of it, with its old `webhook-id`."""
    async with transaction(resources.pool, organization_id) as conn:
        delivery = await replay_delivery(conn, organization_id, endpoint_id, delivery_id)
    return delivery_answer(delivery)
