"""What a one-time link opens: confirming a mail address, and setting a password."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.core.secrets import hash_secret
from fullhouse.identity.mail.link import HOURS, PATHS, Purpose, read_link, write_link
from fullhouse.identity.mail.request_mail import request_mail
from fullhouse.identity.means import Means
from fullhouse.identity.messages import NOBODYS_ID
from fullhouse.identity.passwords import check_new_password
from fullhouse.identity.queries import find_link
from fullhouse.identity.rules import Client, LinkRefused, User
from fullhouse.identity.second_factor.writes import delete_second_factor
from fullhouse.identity.sign_in import check_password
from fullhouse.identity.tries import MAIL, REGISTRATION
from fullhouse.identity.writes import (
    insert_link_token,
    mark_verified,
    replace_password,
    revoke_families,
    use_link_token,
    void_links,
)
from fullhouse.infra.client_address import network_of
from fullhouse.infra.postgres import NO_ORGANIZATION, Connection, Pool, connection, transaction


async def open_link(pool: Pool, purpose: Purpose, text: str) -> User:
    """Return whose link this is, without using it. Raises ``LinkRefused``."""
    read = read_link(text)
    if read is None:
        raise LinkRefused
    async with connection(pool, NO_ORGANIZATION) as conn:
        user = await find_link(conn, read[0], purpose, hash_secret(read[1]))
    if user is None:
        raise LinkRefused
    return user


async def verify_email(pool: Pool, means: Means, text: str, password: str, client: Client) -> UUID:
    """Confirm the mail address of an account. Return whose.

    The password is asked for, too: it shows that who opens the link is who registered. Otherwise a stranger could
    register with somebody's address and wait for its owner to confirm it. Raises ``LinkRefused``, ``SignInRefused``.
    """
    user = await open_link(pool, "verify_email", text)
    await check_password(pool, means, user.email, password, client, verified_only=False)
    async with transaction(pool, NO_ORGANIZATION) as conn:
        await _use(conn, "verify_email", text)
        await mark_verified(conn, user.user_id)
        await void_links(conn, user.user_id, "verify_email")
    return user.user_id


async def set_password(pool: Pool, means: Means, text: str, password: str) -> UUID:
    """Set a new password by a link, and end all sign-ins. Return whose.

    Who opened the link reads the address's mail, so it is confirmed. Had it not been before, whatever else was set up
    in the account may be a stranger's, and goes. Raises ``LinkRefused``, ``Invalid``, ``PasswordsBusy``.
    """
    user = await open_link(pool, "set_password", text)
    check_new_password(password, user.email)
    password_hash = await means.passwords.hash_password(password)
    async with transaction(pool, NOBODYS_ID) as conn:
        await _use(conn, "set_password", text)
        await replace_password(conn, user.user_id, password_hash)
        if await mark_verified(conn, user.user_id):
            await delete_second_factor(conn, user.user_id)
        await revoke_families(conn, user.user_id, except_family=None)
        await void_links(conn, user.user_id, "set_password")
        await request_mail(conn, means.make_id, "password_changed", user.email)
    return user.user_id


async def ask_for_link(pool: Pool, means: Means, purpose: Purpose, email: str, client: Client) -> None:
    """Have a link mailed, if the address has an account: nobody learns whether it has. Raises ``TooManyTries``."""
    await means.tries.begin((REGISTRATION, network_of(client.address)), (MAIL, email.casefold()))
    async with transaction(pool, NOBODYS_ID) as conn:
        kind = "verify" if purpose == "verify_email" else "forgotten"
        await request_mail(conn, means.make_id, kind, email)


async def make_link(conn: Connection, make_id: MakeId, server_key: bytes, purpose: Purpose, user_id: UUID) -> str:
    """Make a link for the operator to hand over, and return its path."""
    token_id = make_id()
    text, secret = write_link(server_key, purpose, token_id)
    await insert_link_token(conn, (token_id, user_id), purpose, hash_secret(secret), HOURS[purpose])
    return f"{PATHS[purpose]}/{text}"


async def _use(conn: Connection, purpose: Purpose, text: str) -> None:
    """Use a link up; of two at once the second finds it used."""
    read = read_link(text)
    if read is None or not await use_link_token(conn, read[0], purpose, hash_secret(read[1])):
        raise LinkRefused
