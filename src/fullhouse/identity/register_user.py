"""Registering: a new account, or a word to the owner of the one that is there."""

from dataclasses import dataclass

from fullhouse.identity.mail.request_mail import request_mail
from fullhouse.identity.means import Means
from fullhouse.identity.messages import NOBODYS_ID
from fullhouse.identity.passwords import check_new_password
from fullhouse.identity.rules import Client, checked_email
from fullhouse.identity.tries import MAIL, REGISTRATION
from fullhouse.identity.writes import insert_registered_user
from fullhouse.infra.client_address import network_of
from fullhouse.infra.postgres import Pool, transaction


@dataclass(frozen=True, slots=True)
class Registration:
    """What somebody registers with."""

    email: str
    password: str
    name: str
    language: str


async def register_user(pool: Pool, means: Means, registration: Registration, client: Client) -> None:
    """Make an account, unless the address has one. Neither the answer nor its time says which it was.

    Raises ``Invalid``, ``TooManyTries``, ``PasswordsBusy``.
    """
    email = checked_email(registration.email)
    check_new_password(registration.password, email)
    # Never given back: each one makes an account, or a mail to somebody who did not ask for it.
    await means.tries.begin((REGISTRATION, network_of(client.address)), (MAIL, email.casefold()))
    password_hash = await means.passwords.hash_password(registration.password)
    user_id = means.make_id()
    async with transaction(pool, NOBODYS_ID) as conn:
        who = (email, registration.name, registration.language)
        await insert_registered_user(conn, user_id, who, password_hash)
        await request_mail(conn, means.make_id, "registered", email)
