"""Mails about accounts: sent by the worker's function, read from the mailbox."""

import re
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from fullhouse.identity.mail.mail_account import AccountMailroom, mail_account
from fullhouse.infra.mail_folder import MailboxFolder
from fullhouse.infra.postgres import NO_ORGANIZATION, Pool, connection
from fullhouse.infra.resources import Resources


async def send_account_mails(pool: Pool, resources: Resources, email: str) -> Sequence[EmailMessage]:
    """Send what was asked for about an address, and return it, oldest first."""
    room = AccountMailroom(resources.mailer, resources.secret_key, resources.public_url, "tickets.example")
    async with connection(pool, NO_ORGANIZATION) as conn:
        rows = await conn.fetch(
            "SELECT mail_id FROM account_mails WHERE lower(email) = lower($1) ORDER BY mail_id", email
        )
    assert isinstance(resources.mailer, MailboxFolder)
    folder = resources.mailer.folder
    sent = [row["mail_id"] for row in rows if await mail_account(pool, room, row["mail_id"])]
    return [read_mail(folder / f"account.{mail_id}@tickets.example.eml") for mail_id in sent]


def read_mail(path: Path) -> EmailMessage:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def token_in(mail: EmailMessage) -> str:
    """Return the token of the link in a mail."""
    found = re.search(r"http://tickets\.example/account/\w+/([A-Za-z0-9_-]{44})\s", mail.get_content())
    assert found is not None
    return found[1]
