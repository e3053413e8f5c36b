"""A mailbox folder: one ``.eml`` file a mail, named after its Message-ID, so that the same mail is there once."""

import asyncio
import hashlib
import re
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from pathlib import Path

from fullhouse.infra.mail_body import raw_header
from fullhouse.infra.mail_port import MailUnavailable, with_sender
from fullhouse.infra.object_store_folder import write_durably

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9@._-]{0,150}")
_ASIDE = ".aside"


class MailboxFolder:
    """Takes mails for reading on this machine. Nothing leaves it."""

    def __init__(self, folder: Path, sender: str) -> None:
        """Name the folder. It is made when the first mail comes."""
        self.folder = folder
        self._sender = sender

    async def send(self, message: EmailMessage) -> None:
        """Put the mail into the folder, unless a mail with its Message-ID is there."""
        complete = with_sender(message, self._sender)
        path = self.folder / file_name(raw_header(complete, "Message-ID"))
        await asyncio.to_thread(self._put, path, _as_file(complete))

    async def forget(self, message_id: str) -> None:
        """Remove the mail's file, if it is there."""
        path = self.folder / file_name(message_id)
        try:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        except OSError as refused:
            raise MailUnavailable(f"{path}: {refused.strerror}", retry_after_seconds=5) from refused

    async def check(self) -> None:
        """Make the folder, if need be, and see that it can be written."""
        probe = self.folder / _ASIDE / "check"
        await asyncio.to_thread(self._put, probe, b"")
        await asyncio.to_thread(probe.unlink, missing_ok=True)

    def _put(self, path: Path, data: bytes) -> None:
        aside = self.folder / _ASIDE
        try:
            write_durably(aside, path, data, replace=False)
        except OSError as refused:
            raise MailUnavailable(f"{path}: {refused.strerror}", retry_after_seconds=5) from refused


def file_name(message_id: str) -> str:
    """Name the file of a mail: its Message-ID without brackets, or a hash where that could not be a file's name."""
    name = message_id.strip().removeprefix("<").removesuffix(">")
    if not _PLAIN_NAME.fullmatch(name):
        name = hashlib.sha256(message_id.encode()).hexdigest()
    return f"{name}.eml"


def _as_file(message: EmailMessage) -> bytes:
    """Write a mail as it would travel: in ASCII, or with UTF-8 headers (RFC 6532) where an address needs them."""
    try:
        return message.as_bytes(policy=SMTP)
    except UnicodeEncodeError:
        return message.as_bytes(policy=SMTPUTF8)
