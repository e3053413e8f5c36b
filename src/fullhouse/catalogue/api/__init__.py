"""Routes of events, sessions, availability and allocations."""

from fastapi import APIRouter

from fullhouse.catalogue.api import allocations, events, forms, reads, sessions

router = APIRouter()
for _part in (reads, events, forms, sessions, allocations):
    # The routes themselves, and not a router inside a router: each is asked who may call it.
    router.routes.extend(_part.router.routes)
