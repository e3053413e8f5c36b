"""News of orders that ended without tickets: told once, in the buyer's language, with nothing secret but the link."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from harness.sold import Sell

from fullhouse.tickets.mail_order_news import News, mail_order_news, words_of
from fullhouse.tickets.mail_tickets import Mailroom

WORDS: dict[tuple[News, str], tuple[str, str]] = {
    ("payment_declined", "en"): ("declined", "nothing was charged"),
    ("paid_unseated", "en"): ("on its way back", "is being returned"),
    ("refunded", "en"): ("was refunded", "no longer open the door"),
    ("payment_declined", "pt_BR"): ("foi recusado", "nada foi cobrado"),
    ("paid_unseated", "pt_BR"): ("sendo devolvido", "sendo devolvido"),
    ("refunded", "pt_BR"): ("foi reembolsado", "não abrem mais a porta"),
}


def _mails(mailbox: Path) -> list[EmailMessage]:
    return [message_from_bytes(path.read_bytes(), policy=default) for path in sorted(mailbox.glob("*.eml"))]


@pytest.mark.parametrize(("news", "language"), WORDS)
async def test_news_are_told_once(sell: Sell, mailroom: Mailroom, mailbox: Path, news: News, language: str) -> None:
    sold = await sell(1, language=language)
    await sold.issue()
    ids = sold.organization_id, sold.order_id
    told = [await mail_order_news(sold.pool, mailroom, *ids, news, words_of(news)) for _ in range(3)]
    assert told == [True, False, False]
    [mail] = _mails(mailbox)
    subject, body = WORDS[news, language]
    assert subject in mail["Subject"]
    text = mail.get_content()
    assert body in text
    assert str(sold.order_id) in text
    assert ("/credit-note.pdf" in text) == (news == "refunded")
    assert mail["Message-ID"].strip().startswith(f"<{news}.{sold.order_id}@")


async def test_nothing_is_sent_where_the_address_was_erased(sell: Sell, mailroom: Mailroom, mailbox: Path) -> None:
    sold = await sell(1)
    await sold.pool.execute("DELETE FROM order_contacts WHERE order_id = $1", sold.order_id)
    ids = sold.organization_id, sold.order_id
    assert not await mail_order_news(sold.pool, mailroom, *ids, "refunded", words_of("refunded"))
    assert _mails(mailbox) == []
