"""Pages for people with accounts: signing in, their account, their orders, invitations, and links in mails."""

from collections.abc import Sequence

from fastapi import APIRouter

from fullhouse.web.pages.account import (
    elsewhere,
    find_orders,
    invitation,
    links,
    me,
    my_orders,
    register,
    second_factor,
    sign_in,
)

ROUTERS: Sequence[APIRouter] = (
    sign_in.router,
    elsewhere.router,
    register.router,
    links.router,
    me.router,
    second_factor.router,
    my_orders.router,
    find_orders.router,
    invitation.router,
)
"""The routes of accounts, for the app to include at the root."""
