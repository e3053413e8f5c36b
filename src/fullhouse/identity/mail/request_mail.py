"""Asking for a mail about an account, in the transaction of what it tells. Whether there is one, the worker finds."""

from typing import Literal

from fullhouse.core.ids import MakeId
from fullhouse.identity.messages import MailRequested
from fullhouse.identity.writes import insert_account_mail
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Connection

MailKind = Literal[
    "registered",
    "verify",
    "forgotten",
    "password_changed",
    "second_factor_on",
    "second_factor_off",
    "recovery_code_used",
    "provider_linked",
]


async def request_mail(conn: Connection, make_id: MakeId, kind: MailKind, email: str) -> None:
    """Ask for a mail, in the language of the user. It costs the same for every address."""
    mail_id = make_id()
    await insert_account_mail(conn, mail_id, kind, email)
    await append(conn, make_id, [MailRequested(mail_id)])
