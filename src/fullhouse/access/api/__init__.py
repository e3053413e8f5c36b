"""Routes of organizations, their members and keys. They stand here because they need to know who may call them."""

from fastapi import APIRouter

from fullhouse.access.api import api_keys, invitations, members, organizations

router = APIRouter()
for _part in (organizations, members, invitations, api_keys):
    # The routes themselves, and not a router inside a router: each is asked who may call it.
    router.routes.extend(_part.router.routes)
