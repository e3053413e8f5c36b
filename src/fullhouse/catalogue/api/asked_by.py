"""Who looks: drafts are for their own organization, and everything published is for everyone."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from fullhouse.access.http import ApiKeysDep, Declaration, PublicAccess, find_member, read_credential
from fullhouse.catalogue.show_availability import AvailabilityBoard
from fullhouse.core.actor import ANONYMOUS, Actor
from fullhouse.infra.http import ResourcesDep


class ViewerAccess(PublicAccess):
    """Anyone may look; a member who shows a key sees the drafts of their organization as well."""

    declaration = Declaration("public", ("Bearer",), optional=True)

    async def __call__(self, request: Request, api_keys: ApiKeysDep) -> Actor:  # pyright: ignore[reportIncompatibleMethodOverride] (FastAPI fills the parameters)
        """Return who looks. Raises ``CredentialUnknown`` for a key that is none."""
        credential = read_credential(request.headers)
        if credential is None or credential.scheme != "Bearer":
            return ANONYMOUS
        actor = await find_member(api_keys, credential, "Bearer")
        request.state.actor = actor
        return actor


Viewer = Annotated[Actor, Depends(ViewerAccess())]


def is_member(viewer: Actor, organization_id: UUID) -> bool:
    """Say whether who looks may see an organization's drafts and counters."""
    return viewer.organization_id == organization_id and "event:read" in viewer.permissions


async def get_board(request: Request, resources: ResourcesDep) -> AvailabilityBoard:
    """Return the board of this process."""
    state = request.app.state
    if not hasattr(state, "availability_board"):
        state.availability_board = AvailabilityBoard(resources.pool, resources.valkey, resources.clock)
    board: AvailabilityBoard = state.availability_board
    return board


BoardDep = Annotated[AvailabilityBoard, Depends(get_board)]
