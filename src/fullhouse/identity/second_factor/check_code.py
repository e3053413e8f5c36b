"""Checking a code of the second factor: of the app, or a recovery code. Each is good once."""

from uuid import UUID

from fullhouse.identity.mail.request_mail import request_mail
from fullhouse.identity.means import Means
from fullhouse.identity.messages import NOBODYS_ID
from fullhouse.identity.queries import load_factor, load_user
from fullhouse.identity.rules import SecondFactorOff, SecondFactorRefused
from fullhouse.identity.second_factor.recovery import hash_code
from fullhouse.identity.second_factor.totp import DIGITS, find_step
from fullhouse.identity.second_factor.writes import use_recovery_code, use_step
from fullhouse.identity.tokens.sealing import unseal
from fullhouse.identity.tries import SECOND_FACTOR
from fullhouse.infra.postgres import Connection, Pool, transaction

FACTOR_PURPOSE = "second-factor"


async def check_code(pool: Pool, means: Means, user_id: UUID, code: str) -> None:
    """Return if the code is right, and use it up. Raises ``SecondFactorRefused``, ``TooManyTries``."""
    await means.tries.begin((SECOND_FACTOR, str(user_id)))
    plain = code.strip().replace(" ", "")
    async with transaction(pool, NOBODYS_ID) as conn:
        is_of_app = len(plain) == DIGITS and plain.isascii() and plain.isdigit()
        good = await (_use_app(conn, means, user_id, plain) if is_of_app else _use_recovery(conn, means, user_id, code))
    if not good:
        raise SecondFactorRefused
    await means.tries.forgive((SECOND_FACTOR, str(user_id)), everything=True)


async def find_step_of(conn: Connection, means: Means, user_id: UUID, code: str, *, confirmed: bool) -> int | None:
    """Return the step of a code, by a factor that is confirmed or waits for it. Raises ``SecondFactorOff``."""
    factor = await load_factor(conn, user_id)
    if factor is None or factor[1] is not confirmed:
        raise SecondFactorOff
    secret = unseal(means.server_key, FACTOR_PURPOSE, factor[0], user_id.bytes)
    return None if secret is None else find_step(secret, code, factor[2])


async def _use_app(conn: Connection, means: Means, user_id: UUID, code: str) -> bool:
    step = await find_step_of(conn, means, user_id, code, confirmed=True)
    return step is not None and await use_step(conn, user_id, step)


async def _use_recovery(conn: Connection, means: Means, user_id: UUID, code: str) -> bool:
    if not await use_recovery_code(conn, user_id, hash_code(code)):
        return False
    user = await load_user(conn, user_id)
    if user is not None:
        await request_mail(conn, means.make_id, "recovery_code_used", user.email)
    return True
