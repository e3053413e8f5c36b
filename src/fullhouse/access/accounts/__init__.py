"""Routes of accounts. They stand here because they need to know who may call them."""

from collections.abc import Sequence

from fastapi import APIRouter

from fullhouse.access.accounts import passwords, providers, second_factor, sign_in, sign_ins

ROUTERS: Sequence[APIRouter] = (
    sign_in.router,
    sign_ins.router,
    passwords.router,
    second_factor.router,
    providers.router,
)
"""All of them, for the app to include under its prefix."""
