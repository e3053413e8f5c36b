"""The route that refunds orders."""

from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field, model_validator

from fullhouse.access.http import requires
from fullhouse.access.rules import Grant
from fullhouse.aftersales.refund_order import refund_order
from fullhouse.aftersales.rules import RefundWish
from fullhouse.core.money import AMOUNT_MINOR_MAX
from fullhouse.infra.http import (
    ApiModel,
    Flag,
    IdempotencyKey,
    Quantity,
    ResourcesDep,
    ShortName,
    Whole,
    claim_for,
    idempotent,
    problems,
)
from fullhouse.infra.postgres import Connection
from fullhouse.orders.rules import OrderStatus
from fullhouse.payments.api import RefundAnswer, refund_answer

router = APIRouter(tags=["refunds"])

UNITS_MAX = 1000


class LineRefund(ApiModel):
    """A line to refund: all its live units, or so many of them."""

    line_number: Annotated[Whole, Field(ge=1, le=1000)]
    quantity: Quantity | None = None


class RefundOrder(ApiModel):
    """What to give back: nothing named is the whole of what is left; an amount alone leaves the tickets valid."""

    unit_ids: Annotated[list[UUID] | None, Field(min_length=1, max_length=UNITS_MAX)] = None
    lines: Annotated[list[LineRefund] | None, Field(min_length=1, max_length=UNITS_MAX)] = None
    amount_minor: Annotated[Whole | None, Field(ge=0, lt=AMOUNT_MINOR_MAX)] = None
    return_stock: Annotated[Flag, Field(description="Whether the places go back on sale.")] = True
    reason: ShortName = "by_request"

    @model_validator(mode="after")
    def makes_sense(self) -> Self:
        """Name each line once, and give back something."""
        numbers = [line.line_number for line in self.lines or ()]
        if len(set(numbers)) != len(numbers):
            raise ValueError("each line may be named once")
        if self.amount_minor == 0 and not self.unit_ids and not self.lines:
            raise ValueError("an amount alone must be more than 0")
        return self

    def to_wish(self) -> RefundWish:
        """Translate to the domain."""
        return RefundWish(
            unit_ids=tuple(dict.fromkeys(self.unit_ids or ())),
            lines={line.line_number: line.quantity for line in self.lines or ()},
            amount_minor=self.amount_minor,
            return_stock=self.return_stock,
            reason=self.reason,
        )


class RefundedAnswer(ApiModel):
    """The order as it is now, the units that ended, and one refund for each payment that money goes back to."""

    order_id: UUID
    order_status: OrderStatus
    unit_ids: list[UUID]
    amount_minor: int
    refunds: list[RefundAnswer]


@router.post("/orders/{order_id}/refunds", status_code=201, responses=problems(404, 409))
async def post_refund(
    order_id: UUID,
    body: RefundOrder,
    response: Response,
    grant: Annotated[Grant, requires("refund:write")],
    resources: ResourcesDep,
    key: IdempotencyKey = None,
) -> RefundedAnswer:
    """Refund an order, wholly or in part: tickets are void at once, and the money goes back through its provider."""

    async def effect(conn: Connection) -> RefundedAnswer:
        organization_id, wish = grant.organization_id, body.to_wish()
        done = await refund_order(conn, resources.make_id, organization_id, order_id, wish, by=grant.actor)
        return RefundedAnswer(
            order_id=order_id,
            order_status=done.order.status,
            unit_ids=list(done.unit_ids),
            amount_minor=done.amount_minor,
            refunds=[refund_answer(refund) for refund in done.refunds],
        )

    claim = claim_for(grant.organization_id, f"refunds:{order_id}", key, body)
    return await idempotent(resources.pool, grant.organization_id, response, claim, effect, model=RefundedAnswer)
