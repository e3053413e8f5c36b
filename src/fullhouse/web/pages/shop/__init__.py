"""Pages for buyers, plain and without scripts: events, a session's form, and the order with its tickets."""

from collections.abc import Sequence

from fastapi import APIRouter

from fullhouse.web.pages import assets
from fullhouse.web.pages.shop import events, order, order_move, order_tickets, pay, return_page, session

ROUTERS: Sequence[APIRouter] = (
    events.router,
    session.router,
    order.router,
    pay.router,
    return_page.router,
    order_move.router,
    order_tickets.router,
    assets.router,
)
"""The routes of the shop, for the app to include at the root."""
