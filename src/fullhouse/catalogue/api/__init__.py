"""Routes of events, sessions, availability and allocations."""

from fastapi import APIRouter

from fullhouse.catalogue.api import allocations, events, reads, sessions

router = APIRouter()
for _part in (reads, events, sessions, allocations):
    router.include_router(_part.router)
