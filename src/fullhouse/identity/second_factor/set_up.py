"""Setting up a second factor, switching it on by its first code, new recovery codes, and switching it off."""

from collections.abc import Sequence
from dataclasses import dataclass

from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.identity.mail.request_mail import request_mail
from fullhouse.identity.means import Means
from fullhouse.identity.messages import NOBODYS_ID
from fullhouse.identity.queries import load_factor
from fullhouse.identity.rules import SecondFactorOff, SecondFactorOn, SecondFactorRefused
from fullhouse.identity.second_factor.check_code import FACTOR_PURPOSE, check_code, find_step_of
from fullhouse.identity.second_factor.recovery import hash_code, make_codes
from fullhouse.identity.second_factor.totp import SECRET_BYTES, write_secret, write_uri
from fullhouse.identity.second_factor.writes import (
    confirm_factor,
    delete_second_factor,
    replace_recovery_codes,
    replace_unconfirmed_factor,
)
from fullhouse.identity.tokens.sealing import seal
from fullhouse.identity.tries import SECOND_FACTOR
from fullhouse.identity.writes import mark_family_second_factor, revoke_families
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection, transaction

ISSUER = "Fullhouse"


@dataclass(frozen=True, slots=True)
class NewFactor:
    """What an app needs, shown this once."""

    secret: str
    uri: str


async def set_up_second_factor(pool: Pool, means: Means, user: SignedIn) -> NewFactor:
    """Make a secret for an app; it counts once a code of it was confirmed. Raises ``SecondFactorOn``."""
    secret = means.randomness(SECRET_BYTES)
    sealed = seal(means.server_key, FACTOR_PURPOSE, secret, user.user_id.bytes, means.randomness)
    async with connection(pool, NO_ORGANIZATION) as conn:
        if not await replace_unconfirmed_factor(conn, user.user_id, sealed):
            raise SecondFactorOn
    return NewFactor(write_secret(secret), write_uri(secret, user.email, ISSUER))


async def confirm_second_factor(pool: Pool, means: Means, user: SignedIn, code: str) -> Sequence[str]:
    """Switch the second factor on, and return the recovery codes, shown this once.

    This sign-in counts as made with it; all others end. Raises ``SecondFactorRefused``, ``SecondFactorOff``.
    """
    await means.tries.begin((SECOND_FACTOR, str(user.user_id)))
    codes = make_codes(means.randomness)
    async with transaction(pool, NOBODYS_ID) as conn:
        step = await find_step_of(conn, means, user.user_id, code.strip().replace(" ", ""), confirmed=False)
        if step is None:
            raise SecondFactorRefused
        if not await confirm_factor(conn, user.user_id, step):
            raise SecondFactorOff
        await replace_recovery_codes(conn, user.user_id, [hash_code(text) for text in codes])
        await mark_family_second_factor(conn, user.family_id, has_second_factor=True)
        await revoke_families(conn, user.user_id, except_family=user.family_id)
        await request_mail(conn, means.make_id, "second_factor_on", user.email)
    await means.tries.forgive((SECOND_FACTOR, str(user.user_id)), everything=True)
    return codes


async def renew_recovery_codes(pool: Pool, means: Means, user: SignedIn, code: str) -> Sequence[str]:
    """Return new recovery codes; those before open nothing. Raises ``SecondFactorRefused``, ``SecondFactorOff``."""
    await _needs_factor(pool, user)
    await check_code(pool, means, user.user_id, code)
    codes = make_codes(means.randomness)
    async with transaction(pool, NO_ORGANIZATION) as conn:
        await replace_recovery_codes(conn, user.user_id, [hash_code(text) for text in codes])
    return codes


async def remove_second_factor(pool: Pool, means: Means, user: SignedIn, code: str) -> None:
    """Switch the second factor off. Raises ``SecondFactorRefused``, ``SecondFactorOff``, ``TooManyTries``."""
    await _needs_factor(pool, user)
    await check_code(pool, means, user.user_id, code)
    async with transaction(pool, NOBODYS_ID) as conn:
        await delete_second_factor(conn, user.user_id)
        await mark_family_second_factor(conn, user.family_id, has_second_factor=False)
        await revoke_families(conn, user.user_id, except_family=user.family_id)
        await request_mail(conn, means.make_id, "second_factor_off", user.email)


async def _needs_factor(pool: Pool, user: SignedIn) -> None:
    async with connection(pool, NO_ORGANIZATION) as conn:
        factor = await load_factor(conn, user.user_id)
    if factor is None or not factor[1]:
        raise SecondFactorOff
