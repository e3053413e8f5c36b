"""Changing a password by whoever knows it, and asking a person again who they are."""

from fullhouse.identity.find_signed_in import SignedIn
from fullhouse.identity.mail.request_mail import request_mail
from fullhouse.identity.means import Means
from fullhouse.identity.messages import NOBODYS_ID
from fullhouse.identity.passwords import check_new_password
from fullhouse.identity.queries import has_password, is_family_young
from fullhouse.identity.rules import Client, SignInAgain
from fullhouse.identity.sign_in import check_password
from fullhouse.identity.writes import replace_password, revoke_families, void_links
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection, transaction

YOUNG_SECONDS = 600


async def change_password(
    pool: Pool, means: Means, user: SignedIn, passwords: tuple[str | None, str], client: Client
) -> None:
    """Change a password, the present one to a new one; all other sign-ins of the user end.

    Raises ``SignInRefused`` for a wrong present one, ``SignInAgain``, ``Invalid``, ``TooManyTries``.
    """
    present, new = passwords
    await ask_again(pool, means, user, present, client)
    check_new_password(new, user.email, "new_password")
    password_hash = await means.passwords.hash_password(new)
    async with transaction(pool, NOBODYS_ID) as conn:
        await replace_password(conn, user.user_id, password_hash)
        await revoke_families(conn, user.user_id, except_family=user.family_id)
        await void_links(conn, user.user_id, "set_password")
        await request_mail(conn, means.make_id, "password_changed", user.email)


async def ask_again(pool: Pool, means: Means, user: SignedIn, password: str | None, client: Client) -> None:
    """Return if it is surely the person: by the password, or without one by a sign-in of the last ten minutes.

    Raises ``SignInRefused``, ``SignInAgain``, ``TooManyTries``.
    """
    async with connection(pool, NO_ORGANIZATION) as conn:
        needs_password = await has_password(conn, user.user_id)
        is_young = await is_family_young(conn, user.family_id, YOUNG_SECONDS)
    if needs_password:
        await check_password(pool, means, user.email, password or "", client, verified_only=False)
    elif not is_young:
        raise SignInAgain
