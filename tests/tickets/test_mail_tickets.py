"""The mail of an order: whole, in the buyer's language, at least once by SMTP and exactly once in the mailbox."""

import asyncio
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from pathlib import Path

import icalendar
import pypdfium2
import pytest
from harness.sold import Sell, Sold, make_mailroom

from fullhouse.infra.mailer import MailUnavailable
from fullhouse.infra.object_store import ObjectStore
from fullhouse.infra.postgres import Pool
from fullhouse.orders.rules import OrderNotFound
from fullhouse.tickets import mail_tickets as module
from fullhouse.tickets.mail_tickets import MailRecords, Mailroom, mail_tickets


def mails(mailbox: Path) -> list[EmailMessage]:
    paths = sorted(mailbox.glob("*.eml")) if mailbox.exists() else []
    return [message_from_bytes(path.read_bytes(), policy=default) for path in paths]


def text_of(mail: EmailMessage) -> str:
    return part(mail, "text/plain").get_content().replace("\r\n", "\n")


def part(mail: EmailMessage, content_type: str) -> EmailMessage:
    [found] = [one for one in mail.walk() if one.get_content_type() == content_type]
    return found


async def deliveries(pool: Pool, sold: Sold) -> list[tuple[str, str]]:
    rows = await pool.fetch("SELECT kind, message_id FROM mail_deliveries WHERE order_id = $1", sold.order_id)
    return [tuple(row) for row in rows]


async def send(sold: Sold, mailroom: Mailroom) -> bool:
    return await mail_tickets(MailRecords(sold.pool), mailroom, sold.organization_id, sold.order_id)


class CountingMailer:
    """Keeps every mail it is given, as a server would, and refuses as often as it is told to."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.sent: list[EmailMessage] = []

    async def send(self, message: EmailMessage) -> None:
        if self.refusals:
            self.refusals -= 1
            raise MailUnavailable(retry_after_seconds=1)
        self.sent.append(message_from_bytes(message.as_bytes(policy=SMTP), policy=default))

    async def forget(self, message_id: str) -> None:
        self.sent = [mail for mail in self.sent if mail["Message-ID"] != message_id]

    async def check(self) -> None:
        return


async def test_the_mail_brings_everything(pool: Pool, sell: Sell, mailroom: Mailroom, mailbox: Path) -> None:
    sold = await sell(3)
    await pool.execute(
        """
        UPDATE sessions SET starts_at = '2027-07-01T20:30Z', ends_at = '2027-07-01T22:00Z', name = 'Evening'
        WHERE session_id = $1
        """,
        sold.order.session_id,
    )
    await sold.issue()
    assert await send(sold, mailroom)
    [mail] = mails(mailbox)
    message_id = f"<tickets.{sold.order_id}@tickets.example>"
    assert mail["Message-ID"] == message_id
    assert await deliveries(pool, sold) == [("tickets", message_id)]
    assert mail["To"] == "Ana Souza <ana.souza@example.com>"
    assert mail["From"] == "Fullhouse <tickets@tickets.example>"
    assert mail["Subject"] == "Your tickets for A concert"
    assert mail["Auto-Submitted"] == "auto-generated"

    text = text_of(mail)
    link = f"https://tickets.example/orders/{sold.order_id}?secret=s-e_c&x=<y>"
    assert f"Your receipt:\n{link}/receipt.pdf\n" in text
    for said in ("Hello Ana Souza,", "A concert\nEvening\nThursday, July 1, 2027, 9:30\u202fPM", link, "€75.00"):
        assert said in text, said
    assert text.count("- adult | €25.00") == 3

    html = part(mail, "text/html").get_content()
    assert f'href="{link.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}"' in html
    assert '<html lang="en">' in html
    assert "<y>" not in html

    pdf = part(mail, "application/pdf")
    assert pdf.get_filename() == "tickets.pdf"
    assert len(pypdfium2.PdfDocument(pdf.get_content())) == 3

    entry = part(mail, "text/calendar")
    assert entry.get_filename() == "tickets.ics"
    assert "TZID:Europe/Lisbon" in entry.get_content()
    assert len(entry.get_content()) < 1500
    [event] = icalendar.Calendar.from_ical(entry.get_content()).walk("VEVENT")
    assert event["UID"] == f"{sold.order_id}@tickets.example"
    assert event.decoded("DTSTART").isoformat() == "2027-07-01T21:30:00+01:00"
    assert event.decoded("DTEND").isoformat() == "2027-07-01T23:00:00+01:00"
    assert event["SUMMARY"] == "A concert: Evening"
    assert event["DESCRIPTION"] == "3 tickets\nadult\nadult\nadult"
    assert "secret" not in str(entry.get_content())
    assert entry.get_content().count("DTSTAMP:20") == 1


async def test_it_speaks_portuguese_to_who_does(sell: Sell, mailroom: Mailroom, mailbox: Path) -> None:
    sold = await sell(1, language="pt-BR")
    await sold.issue()
    await send(sold, mailroom)
    [mail] = mails(mailbox)
    assert mail["Subject"] == "Seus ingressos para A concert"
    assert mail["Content-Language"] == "pt-BR"
    text = text_of(mail)
    assert text.startswith("Olá, Ana Souza!\n")
    assert "€ 25,00" in text.replace("\N{NO-BREAK SPACE}", " ")
    assert '<html lang="pt-BR">' in part(mail, "text/html").get_content()
    assert part(mail, "application/pdf").get_filename() == "ingressos.pdf"


async def test_one_mail_an_order_however_often_it_is_asked_for(
    pool: Pool, sell: Sell, mailroom: Mailroom, mailbox: Path
) -> None:
    sold = await sell(2)
    await sold.issue()
    assert await send(sold, mailroom)
    assert not await send(sold, mailroom)
    assert len(mails(mailbox)) == 1
    assert len(await deliveries(pool, sold)) == 1


async def test_five_workers_at_once_leave_one_mail_in_the_mailbox(
    pool: Pool, sell: Sell, mailroom: Mailroom, mailbox: Path
) -> None:
    sold = await sell(2)
    await sold.issue()
    barrier = asyncio.Barrier(5)

    async def work() -> None:
        await barrier.wait()
        await send(sold, mailroom)

    await asyncio.gather(*(work() for _ in range(5)))
    assert len(mails(mailbox)) == 1
    assert len(await deliveries(pool, sold)) == 1


async def test_a_crash_after_sending_sends_the_same_mail_again(
    pool: Pool,
    sell: Sell,
    object_store: ObjectStore,
    mailroom: Mailroom,
    mailbox: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sold = await sell(1)
    await sold.issue()
    by_smtp = CountingMailer()

    async def die(*_: object) -> None:
        raise RuntimeError("killed before it was recorded")

    with monkeypatch.context() as patch:
        patch.setattr(module, "note_deliveries", die)
        for room in (mailroom, make_mailroom(object_store, by_smtp)):
            with pytest.raises(RuntimeError, match="killed"):
                await send(sold, room)
    assert await deliveries(pool, sold) == []
    assert await send(sold, make_mailroom(object_store, by_smtp))
    assert [mail["Message-ID"] for mail in by_smtp.sent] == [f"<tickets.{sold.order_id}@tickets.example>"] * 2
    first, second = (part(mail, "application/pdf").get_content() for mail in by_smtp.sent)
    assert first == second

    await pool.execute("DELETE FROM mail_deliveries WHERE order_id = $1", sold.order_id)
    assert await send(sold, mailroom)
    assert len(mails(mailbox)) == 1


async def test_a_server_that_is_away_records_nothing(pool: Pool, sell: Sell, object_store: ObjectStore) -> None:
    sold = await sell(1)
    await sold.issue()
    room = make_mailroom(object_store, mailer := CountingMailer(refusals=2))
    for _ in range(2):
        with pytest.raises(MailUnavailable):
            await send(sold, room)
        assert await deliveries(pool, sold) == []
    assert await send(sold, room)
    assert len(mailer.sent) == 1


async def test_nothing_is_sent_without_tickets_or_without_a_buyer(
    pool: Pool, sell: Sell, mailroom: Mailroom, mailbox: Path
) -> None:
    unissued, refunded, erased = await sell(1), await sell(1), await sell(1)
    await refunded.issue()
    await refunded.refund()
    await erased.issue()
    await pool.execute("DELETE FROM order_contacts WHERE order_id = $1", erased.order_id)
    for sold in (unissued, refunded, erased):
        assert not await send(sold, mailroom)
        assert await deliveries(pool, sold) == []
    assert mails(mailbox) == []


async def test_another_organization_cannot_have_it_sent(sell: Sell, mailroom: Mailroom, mailbox: Path) -> None:
    sold, other = await sell(1), await sell(1)
    await sold.issue()
    with pytest.raises(OrderNotFound):
        await mail_tickets(MailRecords(sold.pool), mailroom, other.organization_id, sold.order_id)
    assert mails(mailbox) == []


async def test_names_stay_text(pool: Pool, sell: Sell, mailroom: Mailroom, mailbox: Path) -> None:
    sold = await sell(1)
    name = '<b>"Ana"</b> 山田, Αναστασία {{ 7*7 }} %(x)s'
    await pool.execute("UPDATE order_contacts SET name = $2 WHERE order_id = $1", sold.order_id, name)
    await pool.execute("UPDATE events SET name = '<script>x</script>' WHERE event_id = $1", sold.order.event_id)
    await sold.issue()
    await send(sold, mailroom)
    [mail] = mails(mailbox)
    assert mail["To"].addresses[0].display_name == name
    assert mail["To"].addresses[0].addr_spec == "ana.souza@example.com"
    assert f"Hello {name}," in text_of(mail)
    html = part(mail, "text/html").get_content()
    assert "<script" not in html
    assert "<b>" not in html
    assert "{{ 7*7 }} %(x)s" in html
