"""Bodies of mails that are written by us: the library reads back what it would have written itself."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default

import pytest

from fullhouse.infra.mail_body import Attachment, parsed_header, with_body

LONG = "Olá, Ana! = 山田 " * 30
PLAIN = f"{LONG}\n\nFrom here\n.\n--=_x\ntrailing \nshort\n"
HTML = f"<p>{LONG}</p>\r\n<p>=3D</p>\n"
PDF = bytes(range(256)) * 5


def mail(name: str = "ingressos.pdf") -> EmailMessage:
    message = EmailMessage()
    message.set_raw("Message-ID", "<one@tickets.example>")
    message["To"] = "Ana Souza <ana@example.org>"
    message["Subject"] = parsed_header("Subject", "Seus ingressos — Sábado à noite")
    attachments = (
        Attachment("application/pdf", name, PDF),
        Attachment('text/calendar; method="PUBLISH"', "a.ics", b""),
    )
    with_body(message, alternatives=(("plain", PLAIN), ("html", HTML)), attachments=attachments)
    return message


def test_the_library_reads_back_every_part() -> None:
    written = mail().as_bytes(policy=SMTP)
    assert max(len(line) for line in written.split(b"\r\n")) <= 78
    assert written.isascii()
    assert b"\n" not in written.replace(b"\r\n", b"")
    read = message_from_bytes(written, policy=default)
    assert [defect for part in read.walk() for defect in part.defects] == []
    assert [part.get_content_type() for part in read.walk()] == [
        *("multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/pdf", "text/calendar")
    ]
    _, _, plain, html, pdf, entry = read.walk()
    assert plain.get_content().replace("\r\n", "\n") == PLAIN
    assert html.get_content().replace("\r\n", "\n") == HTML.replace("\r\n", "\n")
    assert pdf.get_content() == PDF
    assert pdf.get_filename() == "ingressos.pdf"
    assert entry.get_param("method") == "PUBLISH"
    assert read["Subject"] == "Seus ingressos — Sábado à noite"
    assert mail().as_bytes(policy=SMTP) == written


@pytest.mark.parametrize("name", ["sábado – à noite.pdf", 'a"b.pdf', "a\r\nBcc: x@example.org\r\n.pdf", "チケット.pdf"])
def test_a_name_of_a_file_begins_no_other_header(name: str) -> None:
    read = message_from_bytes(mail(name).as_bytes(policy=SMTP), policy=default)
    *_, pdf, _ = read.walk()
    assert sorted(pdf.keys()) == ["Content-Disposition", "Content-Transfer-Encoding", "Content-Type"]
    assert pdf.get_filename() is not None
    assert read["Bcc"] is None


def test_a_value_begins_no_other_header() -> None:
    with pytest.raises(ValueError, match="linefeed"):
        parsed_header("Subject", "Your tickets\r\nBcc: other@example.org")
