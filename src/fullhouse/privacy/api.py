"""Routes of what buyers may ask for about themselves. The address travels in the body, never in a URL."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request

from fullhouse.access.http import requires
from fullhouse.infra.http import ApiModel, Email, Flag, ResourcesDep, problems
from fullhouse.infra.postgres import transaction
from fullhouse.privacy.erase_buyer import erase_buyer
from fullhouse.privacy.export_buyer import export_buyer
from fullhouse.tickets.mail_tickets import Mailroom

router = APIRouter(tags=["privacy"], dependencies=[requires("privacy:write")])
_BUYERS = "/organizations/{organization_id}/buyers"


class ExportBody(ApiModel):
    """Whose data."""

    email: Email


class EraseBody(ApiModel):
    """Whose data, and whether to erase it although sessions are still ahead."""

    email: Email
    including_ahead: Flag = False


class ExportAnswer(ApiModel):
    """All that the organization keeps of a buyer: their orders with all that hangs on them."""

    organization_id: UUID
    orders: list[dict[str, Any]]


class ErasedAnswer(ApiModel):
    """The orders that are nobody's now."""

    order_ids: list[UUID]


@router.post(_BUYERS + "/export", responses=problems(404))
async def post_export(organization_id: UUID, body: ExportBody, resources: ResourcesDep) -> ExportAnswer:
    """Hand over all that the organization keeps of a buyer; no orders where the address is not known."""
    async with transaction(resources.pool, organization_id) as conn:
        found = await export_buyer(conn, organization_id, body.email)
    return ExportAnswer(organization_id=organization_id, orders=found.orders)


@router.post(_BUYERS + "/erase", responses=problems(404, 409))
async def post_erase(organization_id: UUID, body: EraseBody, request: Request, resources: ResourcesDep) -> ErasedAnswer:
    """Forget a buyer. Money, stock and tickets stay, without the person; erasing again finds nothing."""
    mailroom: Mailroom = request.app.state.mailroom
    order_ids = await erase_buyer(
        resources.pool, mailroom, organization_id, body.email, including_ahead=body.including_ahead
    )
    return ErasedAnswer(order_ids=order_ids)
