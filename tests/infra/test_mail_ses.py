"""Mail through SES: what is sent, and what of the answers means never or later."""

from collections.abc import Iterator
from email.message import EmailMessage
from uuid import uuid4

import pytest
from harness.aws import endpoint_of, mails_at, running_ministack

from fullhouse.infra.errors import OperatorError
from fullhouse.infra.mail_port import MailRefused, MailUnavailable
from fullhouse.infra.mailer import Mailer, open_mailer

SENDER = "Fullhouse <tickets@tickets.example>"
KEYS = "access_key_id=test&secret_access_key=test"


@pytest.fixture(scope="module")
def ministack() -> Iterator[str]:
    with running_ministack() as url:
        yield url


def ses_at(endpoint: str) -> Mailer:
    return open_mailer(f"ses://us-east-1?endpoint={endpoint}&{KEYS}", SENDER)


def mail(subject: str, to: str = "Ana Souza <ana.souza@example.com>") -> EmailMessage:
    message = EmailMessage()
    message["Message-ID"] = f"<{uuid4()}@tickets.example>"
    message["To"] = to
    message["Subject"] = subject
    message.set_content("Os seus ingressos: olá!")
    return message


async def test_mail_is_handed_to_ses_as_it_stands(ministack: str) -> None:
    subject = f"Ingressos {uuid4()}"
    sent = mail(subject)
    await ses_at(endpoint_of(ministack)).check()
    await ses_at(endpoint_of(ministack)).send(sent)
    (found,) = [one for one in mails_at(ministack) if one["Subject"] == subject]
    assert found["To"] == ["ana.souza@example.com"]
    assert "olá!" in found["BodyText"]
    assert (sent["From"], sent["X-Fullhouse-Message-ID"]) == (SENDER, sent["Message-ID"])


async def test_ses_that_is_away_is_told_apart_from_a_refusal() -> None:
    with pytest.raises(MailUnavailable):
        await ses_at("http://127.0.0.1:1").send(mail("x"))
    with pytest.raises(MailUnavailable):
        await ses_at("http://127.0.0.1:1").check()
    with pytest.raises(MailRefused, match="outside ASCII"):
        await ses_at("http://127.0.0.1:1").send(mail("x", "josé@example.com"))


@pytest.mark.parametrize("url", ["ses://", "ses://eu-west-1?colour=red", "ses://eu-west-1?endpoint=http://ses.example"])
def test_url_that_makes_no_sense_is_one_clear_line(url: str) -> None:
    with pytest.raises(OperatorError, match="FULLHOUSE_MAIL_URL"):
        open_mailer(url, SENDER)
