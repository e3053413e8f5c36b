"""A real SMTP server on loopback that keeps what it is handed, or refuses it."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP


@dataclass
class Inbox:
    """Keeps what the server was handed; ``answer`` replaces its consent."""

    mails: list[bytes] = field(default_factory=list[bytes])
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list[tuple[str, list[str]]])
    answer: str = "250 taken"
    recipient_answer: str = ""

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if self.recipient_answer:
            return self.recipient_answer
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.mails.append(envelope.original_content)
            self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        return self.answer


@asynccontextmanager
async def served(inbox: Inbox, ssl: ssl.SSLContext | None = None, **options: Any) -> AsyncGenerator[int]:
    """Run a mail server on loopback and give its port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(inbox, hostname="localhost", loop=loop, **options), "127.0.0.1", 0, ssl=ssl
    )
    async with server:
        yield server.sockets[0].getsockname()[1]
