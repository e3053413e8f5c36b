"""What routes of the catalogue share: who looks, and the board of what is left."""

from typing import Annotated

from fastapi import Depends, Request

from fullhouse.access.http import viewer
from fullhouse.catalogue.event_board import EventBoard
from fullhouse.catalogue.show_availability import AvailabilityBoard
from fullhouse.core.actor import Actor
from fullhouse.infra.http import ResourcesDep

Viewer = Annotated[Actor, viewer()]


async def get_board(request: Request, resources: ResourcesDep) -> AvailabilityBoard:
    """Return the board of this process."""
    state = request.app.state
    if not hasattr(state, "availability_board"):
        state.availability_board = AvailabilityBoard(resources.pool, resources.valkey, resources.clock)
    board: AvailabilityBoard = state.availability_board
    return board


async def get_event_board(request: Request) -> EventBoard:
    """Return the board of events of this process."""
    board: EventBoard = request.app.state.event_board
    return board


EventBoardDep = Annotated[EventBoard, Depends(get_event_board)]
BoardDep = Annotated[AvailabilityBoard, Depends(get_board)]
