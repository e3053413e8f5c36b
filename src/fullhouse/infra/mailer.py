"""The mailer: hands mails to an SMTP server, or puts them into a local mailbox folder, chosen by URL.

``smtp://user:password@host:port?starttls=required|auto|never`` and ``smtps://…`` are servers; ``ca=/path.pem`` names
the certificate of an own authority. STARTTLS is required unless the host is on loopback. ``file:///…`` or a plain path
is a mailbox folder with one ``.eml`` file a mail.
"""

from email.message import EmailMessage
from email.utils import parseaddr
from typing import Protocol
from urllib.parse import urlsplit

from fullhouse.core.errors import Invalid, Unavailable
from fullhouse.infra.errors import OperatorError


class MailUnavailable(Unavailable):
    """The server cannot be reached, is busy, or refuses our sign-in; the same mail may go later."""

    code = "mail_unavailable"
    title = "Mail cannot be sent for the moment."


class MailRefused(Invalid):
    """The server refuses this mail for good: no such address, too large, or not wanted."""

    code = "mail_refused"
    title = "The mail server refuses this mail."


class Mailer(Protocol):
    """Sends mails. A mail has a ``Message-ID``; sending it again is sending the same mail."""

    async def send(self, message: EmailMessage) -> None:
        """Send one mail and return when it has been taken over. Raises ``MailUnavailable`` or ``MailRefused``."""
        ...

    async def check(self) -> None:
        """Return if mail could be sent now; else raise ``MailUnavailable``."""
        ...


def open_mailer(url: str, sender: str) -> Mailer:
    """Return the mailer that a URL or a path names. ``sender`` stands in ``From`` where a mail has none.

    Raises ``OperatorError`` with a sentence if the URL or the sender is not one.
    """
    if "@" not in parseaddr(sender)[1]:
        raise OperatorError(
            f"mailer: not a sender: {sender!r}; write tickets@example.org or Name <tickets@example.org>"
        )
    if urlsplit(url).scheme in {"smtp", "smtps"}:
        from fullhouse.infra.mail_smtp import SmtpMailer, read_smtp_url  # noqa: PLC0415 (each loads only its own needs)

        return SmtpMailer(read_smtp_url(url), sender)
    from fullhouse.infra.mail_folder import MailboxFolder  # noqa: PLC0415 (the same)
    from fullhouse.infra.object_store import folder_of  # noqa: PLC0415 (the same)

    return MailboxFolder(folder_of(url, "mailer"), sender)


def with_sender(message: EmailMessage, sender: str) -> EmailMessage:
    """Put the sender into a mail that names none. Raises ``MailRefused`` for one without ``Message-ID`` or ``To``."""
    for header in ("Message-ID", "To"):
        if not message[header]:
            raise MailRefused(f"The mail has no {header}.")
    if not message["From"]:
        message["From"] = sender
    return message
