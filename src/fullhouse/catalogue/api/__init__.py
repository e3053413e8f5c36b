"""Routes of events, sessions, availability, allocations, fees and taxes."""

from fastapi import APIRouter

from fullhouse.catalogue.api import allocations, charges, events, forms, reads, sessions

router = APIRouter()
for _part in (reads, events, forms, sessions, charges, allocations):
    # The routes themselves, and not a router inside a router: each is asked who may call it.
    router.routes.extend(_part.router.routes)
