"""Pages for buyers, plain and without scripts: events, a session's form, and the order with its tickets."""

from collections.abc import Sequence

from fastapi import APIRouter

from fullhouse.web.pages import assets
from fullhouse.web.pages.shop import events, order, order_tickets, session

ROUTERS: Sequence[APIRouter] = (events.router, session.router, order.router, order_tickets.router, assets.router)
"""The routes of the shop, for the app to include at the root."""
