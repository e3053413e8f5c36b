"""The mailer, against a real SMTP server on loopback and into a real folder."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from harness.mail_server import Inbox, served

from fullhouse.infra.errors import OperatorError
from fullhouse.infra.mail_folder import file_name
from fullhouse.infra.mail_port import AddressRefused
from fullhouse.infra.mailer import MailRefused, MailUnavailable, open_mailer

SENDER = "Box office <tickets@example.org>"


def a_mail(message_id: str = "<tickets.1@example.org>") -> EmailMessage:
    message = EmailMessage()
    message["Message-ID"] = message_id
    message["To"] = "Ana Souza <ana@example.org>"
    message["Subject"] = "Seus ingressos — Sábado à noite"
    message.set_content("Olá, Ana.\n")
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="ingressos.pdf")
    return message


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def smtp_port(inbox: Inbox) -> AsyncIterator[int]:
    async with served(inbox) as port:
        yield port


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for 127.0.0.1 that signs itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime.now(UTC) - timedelta(hours=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_smtp_takes_the_whole_mail(inbox: Inbox, smtp_port: int) -> None:
    mailer = open_mailer(f"smtp://127.0.0.1:{smtp_port}", SENDER)
    await mailer.check()
    assert inbox.mails == []
    await mailer.send(a_mail())
    [taken] = [message_from_bytes(mail, policy=default) for mail in inbox.mails]
    assert inbox.envelopes == [("tickets@example.org", ["ana@example.org"])]
    assert taken["From"] == SENDER
    assert taken["Subject"] == "Seus ingressos — Sábado à noite"
    assert taken["Message-ID"] == "<tickets.1@example.org>"
    [pdf] = taken.iter_attachments()
    assert pdf.get_content() == b"%PDF-1.7"


@pytest.mark.parametrize("answer", ["550 no such thing", "554 not wanted"])
async def test_a_refusal_for_good_is_told_from_a_busy_server(inbox: Inbox, smtp_port: int, answer: str) -> None:
    inbox.answer = answer
    mailer = open_mailer(f"smtp://127.0.0.1:{smtp_port}", SENDER)
    with pytest.raises(MailRefused, match=answer[4:]) as refused:
        await mailer.send(a_mail())
    assert not isinstance(refused.value, AddressRefused)
    inbox.answer = "451 try later"
    with pytest.raises(MailUnavailable, match="try later"):
        await mailer.send(a_mail())
    assert inbox.mails == []


async def test_an_unknown_recipient_is_refused_and_a_greylisted_one_may_be_tried_again(
    inbox: Inbox, smtp_port: int
) -> None:
    mailer = open_mailer(f"smtp://127.0.0.1:{smtp_port}", SENDER)
    inbox.recipient_answer = "550 no such user"
    with pytest.raises(AddressRefused, match="no such user"):
        await mailer.send(a_mail())
    inbox.recipient_answer = "450 greylisted"
    with pytest.raises(MailUnavailable):
        await mailer.send(a_mail())
    assert inbox.mails == []


async def test_a_server_that_is_away_is_unavailable(inbox: Inbox) -> None:
    async with served(inbox) as port:
        pass
    mailer = open_mailer(f"smtp://127.0.0.1:{port}", SENDER)
    with pytest.raises(MailUnavailable):
        await mailer.check()
    with pytest.raises(MailUnavailable):
        await mailer.send(a_mail())


async def test_sign_in_over_starttls(inbox: Inbox, tls: ssl.SSLContext, certificate: Path) -> None:
    def authenticate(_s: Any, _session: Any, _e: Any, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"box", b"p@ss/word"), handled=False)

    options: dict[str, Any] = {"tls_context": tls, "require_starttls": True, "auth_required": True}
    async with served(inbox, authenticator=authenticate, **options) as port:
        address = f"127.0.0.1:{port}?starttls=required"
        mailer = open_mailer(f"smtp://box:p%40ss%2Fword@{address}&ca={certificate}", SENDER)
        await mailer.check()
        await mailer.send(a_mail())
        assert len(inbox.mails) == 1
        with pytest.raises(MailUnavailable):
            await open_mailer(f"smtp://box:wrong@{address}&ca={certificate}", SENDER).send(a_mail())
        assert len(inbox.mails) == 1


async def test_required_starttls_sends_nothing_in_the_clear(inbox: Inbox, smtp_port: int) -> None:
    with pytest.raises(MailUnavailable):
        await open_mailer(f"smtp://127.0.0.1:{smtp_port}?starttls=required", SENDER).send(a_mail())
    assert inbox.mails == []


async def test_smtps(inbox: Inbox, tls: ssl.SSLContext, certificate: Path) -> None:
    async with served(inbox, ssl=tls) as port:
        await open_mailer(f"smtps://127.0.0.1:{port}?ca={certificate}", SENDER).send(a_mail())
        with pytest.raises(MailUnavailable, match="certificate"):
            await open_mailer(f"smtps://127.0.0.1:{port}", SENDER).send(a_mail())
    assert len(inbox.mails) == 1


async def test_the_mailbox_has_each_message_id_once(tmp_path: Path) -> None:
    mailer = open_mailer(f"file://{tmp_path}/mail", SENDER)
    await mailer.check()
    first = a_mail()
    await asyncio.gather(*[mailer.send(a_mail()) for _ in range(20)], mailer.send(first))
    await mailer.send(a_mail("<tickets.2@example.org>"))
    names = sorted(path.name for path in (tmp_path / "mail").glob("*.eml"))
    assert names == ["tickets.1@example.org.eml", "tickets.2@example.org.eml"]
    assert list((tmp_path / "mail" / ".aside").iterdir()) == []
    kept = message_from_bytes((tmp_path / "mail" / names[0]).read_bytes(), policy=default)
    assert kept["From"] == SENDER
    assert kept["Subject"] == "Seus ingressos — Sábado à noite"


@pytest.mark.parametrize(
    "message_id", ["<../../etc/passwd@x>", "<a/b@x>", "<.hidden@x>", "<é@x>", "<" + "a" * 300 + "@x>"]
)
async def test_a_strange_message_id_stays_inside_the_folder(tmp_path: Path, message_id: str) -> None:
    assert len(file_name(message_id)) == 64 + 4
    mailer = open_mailer(str(tmp_path / "mail"), SENDER)
    await mailer.send(a_mail(message_id))
    assert [path.name for path in (tmp_path / "mail").glob("*.eml")] == [file_name(message_id)]
    outside = await asyncio.to_thread(lambda: [path.name for path in tmp_path.iterdir()])
    assert outside == ["mail"]


async def test_a_mailbox_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    mailer = open_mailer(str(tmp_path / "file"), SENDER)
    with pytest.raises(MailUnavailable):
        await mailer.check()
    with pytest.raises(MailUnavailable):
        await mailer.send(a_mail())


async def test_a_mail_without_an_id_or_a_recipient_is_not_sent(tmp_path: Path) -> None:
    mailer = open_mailer(str(tmp_path / "mail"), SENDER)
    for header in ("Message-ID", "To"):
        mail = a_mail()
        del mail[header]
        with pytest.raises(MailRefused, match=header):
            await mailer.send(mail)
    assert not (tmp_path / "mail").exists()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("smtp://", "host"),
        ("smtp://mail.example.org?starttls=maybe", "required, auto or never"),
        ("smtp://mail.example.org?colour=red", "colour"),
        ("smtps://mail.example.org?ca=/no/such/file", "cannot be read"),
        ("pop://mail.example.org", "scheme"),
        ("file://host/mail", "no host"),
    ],
)
def test_a_url_that_names_no_mailer_says_why(url: str, says: str) -> None:
    with pytest.raises(OperatorError, match=says):
        open_mailer(url, SENDER)


def test_a_sender_without_an_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="not a sender"):
        open_mailer(str(tmp_path), "Box office")
