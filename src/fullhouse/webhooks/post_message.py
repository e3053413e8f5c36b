"""One attempt: post a body to a URL, and say what came of it.

The name is resolved once; every address that it leads to must be of the public internet, and the connection goes to
one of exactly these. No proxy, no redirect, no more than ten seconds and 64 kB in all.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

import httptools

from fullhouse.infra.outgoing import READ_BYTES_MAX, Address, Outside, Streams
from fullhouse.webhooks.destination import Destination, WebhookUrlRefused, is_allowed, read_destination
from fullhouse.webhooks.rules import Outcome, Trouble

SECONDS_MAX = 10.0
CONNECT_SECONDS_MAX = 4.0
"""For one address, so that a second one has its turn."""

ADDRESSES_TRIED_MAX = 3
EXCERPT_BYTES_MAX = 1024
USER_AGENT = "Fullhouse-Webhooks/1"

_READ_BYTES = 16_384


class _Failed(Exception):
    """The attempt ended without an answer."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.value)
        self.trouble = trouble


class _Answer:
    """What the parser heard of the answer so far. Interim answers (1xx) are passed over."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.status: int | None = None
        self.is_whole = False
        self._excerpt = bytearray()

    def on_headers_complete(self) -> None:
        """Take the status of the final answer."""
        status = self.parser.get_status_code()
        if self.status is None and status >= 200:
            self.status = status

    def on_body(self, data: bytes) -> None:
        """Keep the beginning of the body."""
        self._excerpt += data[: EXCERPT_BYTES_MAX - len(self._excerpt)]

    def on_message_complete(self) -> None:
        """Remember that the final answer is whole."""
        self.is_whole = self.status is not None

    def excerpt(self) -> str:
        """Return the beginning of the body as text that Postgres can store."""
        return self._excerpt.decode(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")


async def post_message(
    outside: Outside, url: str, headers: Mapping[str, str], body: bytes, *, allow_private: bool
) -> Outcome:
    """Post once and return the outcome; raises nothing for whatever the receiver or the network does."""
    started = outside.monotonic()
    answer = _Answer()
    trouble: Trouble | None = None
    try:
        async with asyncio.timeout(SECONDS_MAX):
            destination = read_destination(url, allow_private=allow_private)
            addresses = await _resolve(outside, destination, allow_private=allow_private)
            streams = await _connect(outside, destination, addresses)
            await _exchange(streams, _request(destination, headers, body), answer)
    except WebhookUrlRefused:
        trouble = Trouble.ADDRESS_REFUSED
    except _Failed as failed:
        trouble = failed.trouble
    except TimeoutError:
        trouble = Trouble.TIMED_OUT
    except OSError:
        trouble = Trouble.CONNECTION_LOST
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        trouble = Trouble.ANSWER_UNREADABLE
    # Once the status is there, it counts: the rest of the body is nothing but a text for the log.
    if answer.status is not None:
        trouble = Trouble.REDIRECTED if 300 <= answer.status < 400 else None
    return Outcome(answer.status, trouble, answer.excerpt(), outside.monotonic() - started)


async def _resolve(outside: Outside, destination: Destination, *, allow_private: bool) -> Sequence[Address]:
    try:
        addresses: Sequence[Address] = [ip_address(destination.host)]
    except ValueError:
        try:
            addresses = await outside.resolve(destination.host, destination.port)
        except (OSError, ValueError) as unknown:
            raise _Failed(Trouble.NAME_UNKNOWN) from unknown
    if not addresses:
        raise _Failed(Trouble.NAME_UNKNOWN)
    if not all(is_allowed(address, allow_private=allow_private) for address in addresses):
        raise _Failed(Trouble.ADDRESS_REFUSED)
    return addresses


async def _connect(outside: Outside, destination: Destination, addresses: Sequence[Address]) -> Streams:
    trouble = Trouble.CONNECT_FAILED
    for address in addresses[:ADDRESSES_TRIED_MAX]:
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                return await outside.connect(address, destination.port, destination.host)
        except ssl.SSLError:
            trouble = Trouble.TLS_FAILED
        except TimeoutError:
            trouble = Trouble.TIMED_OUT
        except OSError:
            trouble = Trouble.CONNECT_FAILED
    raise _Failed(trouble)


async def _exchange(streams: Streams, request: bytes, answer: _Answer) -> None:
    reader, writer = streams
    try:
        writer.write(request)
        await writer.drain()
        left = READ_BYTES_MAX
        while left > 0 and not answer.is_whole:
            data = await reader.read(min(_READ_BYTES, left))
            if not data:
                break
            left -= len(data)
            answer.parser.feed_data(data)
        if answer.status is None:
            raise _Failed(Trouble.CONNECTION_LOST if left else Trouble.ANSWER_UNREADABLE)
    finally:
        # A receiver that does not close its side would hold the connection of an orderly end open.
        writer.transport.abort()


def _request(destination: Destination, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = {
        "host": destination.authority,
        "content-type": "application/json",
        "content-length": str(len(body)),
        "user-agent": USER_AGENT,
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {destination.target} HTTP/1.1\r\n{head}\r\n".encode("ascii") + body
