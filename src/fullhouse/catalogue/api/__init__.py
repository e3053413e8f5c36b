"""Routes of events, sessions, availability, allocations, fees, taxes and codes."""

from fastapi import APIRouter

from fullhouse.catalogue.api import allocations, charges, codes, events, forms, reads, sessions

router = APIRouter()
for _part in (reads, events, forms, sessions, charges, codes, allocations):
    # The routes themselves, and not a router inside a router: each is asked who may call it.
    router.routes.extend(_part.router.routes)
