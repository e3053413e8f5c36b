"""What the page of an order says of a session that was moved: the buyer keeps the tickets or returns them."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from fullhouse.access.http import public
from fullhouse.aftersales.moves.answer_move import answer_move
from fullhouse.aftersales.moves.queries import load_order_move
from fullhouse.aftersales.moves.rules import Answer, AnswerFinal, MoveClosed, MoveNotFound, OrderMove
from fullhouse.catalogue.queries import load_now
from fullhouse.infra.http import ResourcesDep
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.orders.rules import Order, OrderNotRefundable
from fullhouse.web.pages.form import FormUnreadable, read_form
from fullhouse.web.pages.origin import check_origin
from fullhouse.web.pages.render import PRIVATE_HEADERS
from fullhouse.web.pages.route import PageRoute
from fullhouse.web.pages.shop.open_order import open_order

router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[public()])

_SAID_BY_THE_PAGE = (AnswerFinal, MoveNotFound, OrderNotRefundable)


async def load_choice(pool: Pool, order: Order) -> OrderMove | None:
    """Load the move to which a buyer may still answer, or None."""
    async with connection(pool, order.organization_id) as conn:
        known = await load_order_move(conn, order.organization_id, order.order_id)
        if known is None or known.move.closed_at is not None or known.answer is Answer.RETURN:
            return None
        return known if await load_now(conn) < known.move.answer_until else None


@router.post("/orders/{order_id}/{secret}/move")
async def post_move_page(request: Request, order_id: UUID, secret: str, resources: ResourcesDep) -> Response:
    """Write down what a buyer says, and lead back to the page of the order."""
    order = await open_order(resources.pool, order_id, secret)
    check_origin(request, resources.public_url, secret_in_path=True)
    fields = await read_form(request)
    if fields.get("answer") not in set(Answer):
        raise FormUnreadable
    path = f"/orders/{order.order_id}/{secret}"
    try:
        async with transaction(resources.pool, order.organization_id) as conn:
            await answer_move(conn, resources.make_id, order.organization_id, order.order_id, Answer(fields["answer"]))
    except MoveClosed as refused:
        path += f"?notice={refused.code}"
    except _SAID_BY_THE_PAGE:
        # The page shows how the order stands.
        pass
    return RedirectResponse(path, 303, headers=dict(PRIVATE_HEADERS))
