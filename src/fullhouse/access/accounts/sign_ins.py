"""Routes for seeing where one is signed in, and for signing out there."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from fullhouse.access.accounts.parts import AccountsDep
from fullhouse.access.http import signed_in
from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.identity.queries import list_sign_ins
from fullhouse.identity.rules import SignInNotFound
from fullhouse.identity.sign_out import sign_out_elsewhere, sign_out_there
from fullhouse.infra.http import ApiModel, ResourcesDep, problems
from fullhouse.infra.postgres import NO_ORGANIZATION, connection

router = APIRouter(tags=["accounts"])

SHOWN_MAX = 100
"""Nobody has so many; of more, those used last are shown, and all others end by ``DELETE /auth/sign-ins``."""

User = Annotated[SignedIn, signed_in()]


class SignInAnswer(ApiModel):
    """A sign-in that has not ended."""

    id: UUID
    client: str = Field(description="What the program called itself: its `User-Agent`.")
    current: bool = Field(description="Whether it is the one that asks.")
    second_factor: bool = Field(description="Whether it was made with a second factor.")
    signed_in_at: datetime
    last_refreshed_at: datetime


class SignInsAnswer(ApiModel):
    """Where somebody is signed in, the latest used first."""

    items: list[SignInAnswer]


@router.get("/auth/sign-ins")
async def get_sign_ins(user: User, resources: ResourcesDep) -> SignInsAnswer:
    """List your sign-ins that have not ended, the latest used first, at most a hundred."""
    async with connection(resources.pool, NO_ORGANIZATION) as conn:
        found = await list_sign_ins(conn, user.user_id, SHOWN_MAX)
    return SignInsAnswer(
        items=[
            SignInAnswer(
                id=one.family_id,
                client=one.client,
                current=one.family_id == user.family_id,
                second_factor=one.has_second_factor,
                signed_in_at=one.created_at,
                last_refreshed_at=one.refreshed_at,
            )
            for one in found
        ]
    )


@router.delete("/auth/sign-ins/{sign_in_id}", status_code=204, responses=problems(404))
async def delete_sign_in(sign_in_id: UUID, user: User, resources: ResourcesDep, accounts: AccountsDep) -> None:
    """Sign out there: its refresh token opens nothing any more, its access token for five seconds at most."""
    if not await sign_out_there(resources.pool, user.user_id, sign_in_id):
        raise SignInNotFound
    accounts.signed_in.forget(sign_in_id)


@router.delete("/auth/sign-ins", status_code=204)
async def delete_other_sign_ins(user: User, resources: ResourcesDep, accounts: AccountsDep) -> None:
    """Sign out everywhere else; the sign-in that asks goes on."""
    await sign_out_elsewhere(resources.pool, user.user_id, user.family_id)
    accounts.signed_in.forget_user(user.user_id)
