"""Exchanging a refresh token for the next one, with a new access token."""

from datetime import datetime, timedelta
from uuid import UUID

from fullhouse.core.secrets import hash_secret, same_hash
from fullhouse.identity.give_tokens import give_tokens
from fullhouse.identity.means import Means
from fullhouse.identity.rules import Client, RefreshRefused, SignInTokens
from fullhouse.identity.tokens.refresh_token import (
    SECRET_BYTES,
    RefreshToken,
    read_refresh_token,
    secret_for_retry,
    write_refresh_token,
)
from fullhouse.identity.tries import REFRESH
from fullhouse.identity.writes import LockedFamily, lock_family, note_refresh, revoke_family
from fullhouse.infra.client_address import network_of
from fullhouse.infra.postgres import NO_ORGANIZATION, Connection, Pool, transaction
from fullhouse.infra.telemetry import get_log

RETRY_SECONDS_MAX = 60
"""How long after a refresh the same request, with its idempotency key, hears the same answer."""

_log = get_log("fullhouse.identity")
_Family = tuple[UUID, str, datetime]


async def refresh_tokens(
    pool: Pool, means: Means, text: str, client: Client, idempotency_key: str | None = None
) -> tuple[SignInTokens, bool]:
    """Return the next tokens of a sign-in, and whether they repeat an answer that was given before.

    A token is good once. Whoever shows it again ends the whole sign-in, for one of the two who had it stole it. A
    client whose answer was lost on the way is told apart by its idempotency key: within a minute, and while nobody
    has used the token that followed, it hears the same answer. Raises ``RefreshRefused`` and ``TooManyTries``.
    """
    await means.tries.begin((REFRESH, network_of(client.address)))
    sent = read_refresh_token(means.server_key, text)
    if sent is None:
        raise RefreshRefused
    async with transaction(pool, NO_ORGANIZATION) as conn:
        locked = await lock_family(conn, sent.family_id)
        if locked is None or not locked.is_live:
            raise RefreshRefused
        found = await _exchange(conn, means, (sent, text), locked, idempotency_key)
        if found is None:
            await revoke_family(conn, sent.family_id)
    if found is None:
        _log.warning("refresh_token_reused", family=str(sent.family_id), user=str(locked.user_id))
        raise RefreshRefused
    await means.tries.forgive((REFRESH, network_of(client.address)))
    family, repeated = found
    return await give_tokens(means, locked.user_id, family), repeated


async def _exchange(
    conn: Connection, means: Means, sent: tuple[RefreshToken, str], locked: LockedFamily, idempotency_key: str | None
) -> tuple[_Family, bool] | None:
    """Return the family with its next token and whether it was given before; None for a token used before."""
    token, text = sent
    following = RefreshToken(token.family_id, token.generation + 1)
    secret = (
        means.randomness(SECRET_BYTES)
        if idempotency_key is None
        else secret_for_retry(means.server_key, text, idempotency_key)
    )
    following_text = write_refresh_token(means.server_key, following, secret)
    if token.generation == locked.generation and same_hash(text, locked.token_hash):
        expires_at = await note_refresh(conn, token.family_id, hash_secret(following_text), means.lifetimes)
        return (token.family_id, following_text, expires_at), False
    is_retry = (
        following.generation == locked.generation
        and same_hash(following_text, locked.token_hash)
        and locked.now - locked.refreshed_at <= timedelta(seconds=RETRY_SECONDS_MAX)
    )
    return ((token.family_id, following_text, locked.expires_at), True) if is_retry else None
