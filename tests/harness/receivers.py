"""A receiver of webhooks on loopback, by real TLS, with an authority of its own; and ways out that record."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fullhouse.infra.outgoing import Address, Connect, Outside, Streams, open_outside

HOST = "hooks.example.org"
LOOPBACK = ip_address("127.0.0.1")
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


def answer_of(status: int, body: bytes = b"", *headers: str) -> bytes:
    """Write an answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    target: str
    headers: dict[str, str]
    body: bytes
    server_name: str | None


Answering = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """What came in, and what is answered: the next of ``answers``, the last of them for ever."""

    port: int = 0
    answers: list[bytes | Answering] = field(default_factory=lambda: [NO_CONTENT])
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    at_once_max: int = 0
    _server_name: str | None = None

    def url(self, target: str = "/hook", host: str = HOST) -> str:
        return f"https://{host}:{self.port}{target}"

    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.received]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        try:
            request = await self._read(reader)
            self.received.append(request)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(request, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.at_once -= 1
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> Received:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        assert method == "POST"
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        return Received(target, headers, body, self._server_name)

    def note_server_name(self, _object: object, name: str | None, _context: ssl.SSLContext) -> None:
        self._server_name = name


def make_authority(folder: Path, names: Sequence[str] = (HOST, "localhost", "127.0.0.1")) -> tuple[Path, Path]:
    """Make an authority and a certificate for the names; return the files of the authority and of key and chain."""
    now = datetime.now(UTC)
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the tests")])
    authority_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())

    def begin(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder(subject_name=subject, issuer_name=own_name, public_key=public)
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))

    authority = (
        begin(own_name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    known = [_general_name(name) for name in names]
    leaf = (
        begin(x509.Name([]), key.public_key())
        .add_extension(x509.SubjectAlternativeName(known), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    trusted, chain = folder / "authority.pem", folder / "receiver.pem"
    pem = serialization.Encoding.PEM
    trusted.write_bytes(authority.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(private + leaf.public_bytes(pem))
    return trusted, chain


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@asynccontextmanager
async def running_receiver(chain: Path) -> AsyncGenerator[Receiver]:
    """Listen on a free port of loopback until the block ends."""
    receiver = Receiver()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    context.sni_callback = receiver.note_server_name
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


def outside_of(trusted: Path) -> Outside:
    """Return real ways out that trust the authority of the tests; every name is on loopback."""
    real = open_outside(ssl.create_default_context(cafile=trusted))

    async def resolve(_host: str, _port: int) -> Sequence[Address]:
        return [LOOPBACK]

    return Outside(resolve, real.connect)


@dataclass
class Recorder:
    """Ways out that note what was asked for; a connection goes to ``connect`` with loopback put for the address."""

    answers: list[Sequence[str]]
    """What the name server says, one for each question; the last for ever."""
    connect_to: Connect | None = None
    port: int = 0
    asked: list[tuple[str, int]] = field(default_factory=list)
    connected: list[tuple[str, int, str]] = field(default_factory=list)

    def outside(self) -> Outside:
        return Outside(self._resolve, self._connect)

    async def _resolve(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append((host, port))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [ip_address(text) for text in answer]

    async def _connect(self, address: Address, port: int, host: str) -> Streams:
        self.connected.append((str(address), port, host))
        if self.connect_to is None:
            raise ConnectionRefusedError
        return await self.connect_to(LOOPBACK, self.port, host)
