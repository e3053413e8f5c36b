"""What every mailer is: its calls and its errors."""

from email.message import EmailMessage
from typing import Protocol

from fullhouse.core.errors import Invalid, Unavailable


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


def with_sender(message: EmailMessage, sender: str) -> EmailMessage:
    """Put the sender into a mail that names none. Raises ``MailRefused`` for one without ``Message-ID`` or ``To``."""
    for header in ("Message-ID", "To"):
        if not message[header]:
            raise MailRefused(f"The mail has no {header}.")
    if not message["From"]:
        message["From"] = sender
    return message
