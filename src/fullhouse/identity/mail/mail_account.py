"""Sending a mail about an account, where the address has one."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fullhouse.core.secrets import hash_secret
from fullhouse.identity.mail.link import HOURS, PATHS, Purpose, write_link
from fullhouse.identity.mail.write_account_mail import write_account_mail
from fullhouse.identity.queries import find_user, load_account_mail
from fullhouse.identity.rules import User
from fullhouse.identity.writes import delete_account_mail, insert_link_token
from fullhouse.infra.mailer import Mailer
from fullhouse.infra.postgres import NO_ORGANIZATION, Connection, Pool, transaction

_LINKS: dict[str, Purpose] = {"registered": "verify_email", "verify": "verify_email", "forgotten": "set_password"}


@dataclass(frozen=True, slots=True)
class AccountMailroom:
    """What mailing needs beside the database."""

    mailer: Mailer
    server_key: bytes
    public_url: str
    host: str
    """Our own name, in the ids of mails."""


@dataclass(frozen=True, slots=True)
class _Letter:
    user: User
    kind: str
    link: str
    sent_at: datetime


async def mail_account(pool: Pool, mailroom: AccountMailroom, mail_id: UUID) -> bool:
    """Send one mail that was asked for, and forget it. Returns whether there was anything to send.

    A crash between the two sends it again, with the same Message-ID and the same link. Nothing is sent to an address
    without an account: nobody is mailed by us who did not ask for it. Raises ``MailUnavailable``, ``MailRefused``.
    """
    async with transaction(pool, NO_ORGANIZATION) as conn:
        letter = await _prepare(conn, mailroom, mail_id)
    if letter is not None:
        message_id = f"<account.{mail_id}@{mailroom.host}>"
        await mailroom.mailer.send(
            write_account_mail(letter.user, letter.kind, letter.link, message_id, letter.sent_at)
        )
    async with transaction(pool, NO_ORGANIZATION) as conn:
        await delete_account_mail(conn, mail_id)
    return letter is not None


async def _prepare(conn: Connection, mailroom: AccountMailroom, mail_id: UUID) -> _Letter | None:
    asked = await load_account_mail(conn, mail_id)
    user = None if asked is None else await find_user(conn, asked.email)
    if asked is None or user is None:
        return None
    kind, purpose = asked.kind, _LINKS.get(asked.kind)
    if purpose == "verify_email" and user.email_verified_at is not None:
        if kind == "verify":
            return None
        kind, purpose = "registered_again", None
    link = mailroom.public_url
    if purpose is not None:
        text, secret = write_link(mailroom.server_key, purpose, mail_id)
        await insert_link_token(conn, (mail_id, user.user_id), purpose, hash_secret(secret), HOURS[purpose])
        link = f"{mailroom.public_url}{PATHS[purpose]}/{text}"
    return _Letter(user, kind, link, asked.created_at)
