"""Signing out: the refresh token opens nothing any more, and the access token within five seconds."""

from uuid import UUID

from fullhouse.identity.means import Means
from fullhouse.identity.rules import RefreshRefused
from fullhouse.identity.tokens.refresh_token import read_refresh_token
from fullhouse.identity.writes import lock_family, revoke_families, revoke_family
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, transaction


async def sign_out(pool: Pool, family_id: UUID) -> None:
    """End a sign-in. Once it has ended nothing changes."""
    async with transaction(pool, NO_ORGANIZATION) as conn:
        await revoke_family(conn, family_id)


async def sign_out_there(pool: Pool, user_id: UUID, family_id: UUID) -> bool:
    """End another sign-in of a user. False, and nothing changed, where it is not theirs or has ended."""
    async with transaction(pool, NO_ORGANIZATION) as conn:
        locked = await lock_family(conn, family_id)
        is_theirs = locked is not None and locked.is_live and locked.user_id == user_id
        if is_theirs:
            await revoke_family(conn, family_id)
    return is_theirs


async def sign_out_elsewhere(pool: Pool, user_id: UUID, family_id: UUID) -> None:
    """End all sign-ins of a user but this one."""
    async with transaction(pool, NO_ORGANIZATION) as conn:
        await revoke_families(conn, user_id, except_family=family_id)


async def sign_out_by_token(pool: Pool, means: Means, refresh_token: str) -> UUID:
    """End the sign-in of a refresh token, the newest one or one before, and return it. Raises ``RefreshRefused``."""
    token = read_refresh_token(means.server_key, refresh_token)
    if token is None:
        raise RefreshRefused
    await sign_out(pool, token.family_id)
    return token.family_id
