"""Mail by SMTP."""

import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import aiosmtplib

from fullhouse.infra.errors import OperatorError
from fullhouse.infra.mail_port import AddressRefused, MailRefused, MailUnavailable, with_sender, without_addresses
from fullhouse.infra.places import is_loopback

_CONVERSATION_SECONDS_MAX = 30
_STARTTLS: dict[str, bool | None] = {"required": True, "auto": None, "never": False}
_PERMANENT = range(500, 600)
_SIGN_IN = frozenset({530, 534, 535, 538})
"""Permanent for the server, but ours to mend: the same mail goes once the settings are right (RFC 4954)."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where and how to hand mail over."""

    host: str
    port: int
    username: str | None
    password: str | None
    security: Literal["tls", "starttls"]
    starttls: bool | None
    """True: or else do not send; None: where offered; False: not."""
    tls: ssl.SSLContext


def read_smtp_url(url: str) -> SmtpServer:
    """Read ``smtp://…`` or ``smtps://…``. Raises ``OperatorError`` with a sentence, without the password."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(options.keys() - {"starttls", "ca"})
    if unknown or parts.path.strip("/"):
        raise OperatorError(f"mailer: {parts.scheme}://… knows the options starttls and ca, not {', '.join(unknown)}")
    if not parts.hostname:
        raise OperatorError(f"mailer: {parts.scheme}://host:port needs a host")
    starttls = options.get("starttls", "auto" if is_loopback(parts.hostname) else "required")
    if starttls not in _STARTTLS:
        raise OperatorError(f"mailer: starttls is required, auto or never, not {starttls}")
    tls = parts.scheme == "smtps"
    try:
        return SmtpServer(
            host=parts.hostname,
            port=parts.port or (465 if tls else 587),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            security="tls" if tls else "starttls",
            starttls=False if tls else _STARTTLS[starttls],
            tls=ssl.create_default_context(cafile=options.get("ca")),
        )
    except OSError as unread:
        raise OperatorError(f"mailer: the certificates in {options.get('ca')} cannot be read: {unread}") from unread


class SmtpMailer:
    """Opens a connection for each mail: a buyer's mail is rare beside what a connection costs."""

    def __init__(self, server: SmtpServer, sender: str) -> None:
        """Keep the address; nothing is asked of the server yet."""
        self._server = server
        self._sender = sender

    async def send(self, message: EmailMessage) -> None:
        """Hand one mail over. A recipient that is refused while another is taken raises ``MailRefused`` as well."""
        complete = with_sender(message, self._sender)
        try:
            async with self._client() as client:
                refused, _ = await client.send_message(complete)
        except (aiosmtplib.SMTPException, OSError) as problem:
            raise _told(problem) from problem
        if refused:
            said = without_addresses("; ".join(f"{answer.code} {answer.message}" for answer in refused.values()))
            is_address = all(answer.code in _PERMANENT for answer in refused.values())
            raise AddressRefused(said) if is_address else MailRefused(said)

    async def forget(self, message_id: str) -> None:
        """Do nothing: what was sent is the receiver's."""

    async def check(self) -> None:
        """Connect, sign in, and leave."""
        try:
            async with self._client() as client:
                await client.noop()
        except (aiosmtplib.SMTPException, OSError) as problem:
            raise MailUnavailable(without_addresses(str(problem)), retry_after_seconds=30) from problem

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.security == "tls",
            start_tls=server.starttls,
            tls_context=server.tls,
            timeout=_CONVERSATION_SECONDS_MAX,
        )


def _told(problem: Exception) -> MailRefused | MailUnavailable:
    """Tell what will never go from what may go later."""
    text = without_addresses(str(problem))
    if isinstance(problem, aiosmtplib.SMTPRecipientsRefused):
        codes = {recipient.code for recipient in problem.recipients}
        text = without_addresses("; ".join(f"{one.code} {one.message}" for one in problem.recipients))
    elif isinstance(problem, aiosmtplib.SMTPResponseException):
        codes = {problem.code}
    else:
        codes = set[int]()
    if codes and all(code in _PERMANENT for code in codes) and not codes & _SIGN_IN:
        return AddressRefused(text) if isinstance(problem, aiosmtplib.SMTPRecipientsRefused) else MailRefused(text)
    return MailUnavailable(text, retry_after_seconds=30)
