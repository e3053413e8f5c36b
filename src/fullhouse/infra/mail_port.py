"""What every mailer is: its calls and its errors."""

import re
from email.message import EmailMessage
from typing import Protocol

from fullhouse.core.errors import Invalid, Unavailable
from fullhouse.infra.mail_body import parsed_header, raw_header

OWN_ID_HEADER = "X-Fullhouse-Message-ID"
"""Where our Message-ID travels with a provider that puts another in its place."""


class MailUnavailable(Unavailable):
    """The server cannot be reached, is busy, or refuses our sign-in; the same mail may go later."""

    code = "mail_unavailable"
    title = "Mail cannot be sent for the moment."


class MailRefused(Invalid):
    """The server refuses this mail for good: no such address, too large, or not wanted."""

    code = "mail_refused"
    title = "The mail server refuses this mail."


class AddressRefused(MailRefused):
    """The server refuses the recipient's address for good."""

    code = "mail_address_refused"
    title = "The mail server refuses this address."


class Mailer(Protocol):
    """Sends mails. A mail has a ``Message-ID``; sending it again is sending the same mail."""

    async def send(self, message: EmailMessage) -> None:
        """Send one mail and return when it has been taken over. Raises ``MailUnavailable`` or ``MailRefused``."""
        ...

    async def forget(self, message_id: str) -> None:
        """Remove our own copy of a mail, where we keep one. Raises ``MailUnavailable``."""
        ...

    async def check(self) -> None:
        """Return if mail could be sent now; else raise ``MailUnavailable``."""
        ...


REASON_LENGTH_MAX = 300
_ADDRESS = re.compile(r"<?[^\s<>,;:'\"()]+@[^\s<>,;:'\"()]+>?")


def without_addresses(text: str) -> str:
    """Shorten what a server said, and take mail addresses out of it: it goes into logs and dead letters."""
    return _ADDRESS.sub("[address]", " ".join(text.split()))[:REASON_LENGTH_MAX]


def with_sender(message: EmailMessage, sender: str) -> EmailMessage:
    """Put the sender into a mail that names none. Raises ``MailRefused`` for one without ``Message-ID`` or ``To``."""
    for header in ("Message-ID", "To"):
        if not raw_header(message, header):
            raise MailRefused(f"The mail has no {header}.")
    if not raw_header(message, "From"):
        message["From"] = parsed_header("From", sender)
    return message
