"""Telling a buyer by mail how an order ended without tickets: declined for good, paid too late, or refunded."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Literal
from uuid import UUID

from fullhouse.infra.languages import Translator, translator
from fullhouse.infra.mailer import MailRefused
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.infra.tracing import span
from fullhouse.orders.rules import Contact
from fullhouse.tickets.load_sale import Sale, load_sale
from fullhouse.tickets.mail_tickets import Mailroom
from fullhouse.tickets.note_mail_feedback import note_refusal
from fullhouse.tickets.queries import is_mailed
from fullhouse.tickets.writes import note_delivery

News = Literal["payment_declined", "paid_unseated", "refunded"]
Words = Callable[[Sale, Translator], tuple[str, str]]
"""Writes subject and body."""


async def mail_order_news(
    pool: Pool, mailroom: Mailroom, organization_id: UUID, order_id: UUID, kind: str, words: Words
) -> bool:
    """Send one piece of news about an order to its buyer, once recorded. Returns whether it was sent now.

    ``kind`` names it among the mails of the order. Nothing is sent where the buyer's address was erased. An address
    that the server refuses is noted with the order. Raises ``OrderNotFound``, ``MailUnavailable``, and ``MailRefused``
    for other refusals.
    """
    async with connection(pool, organization_id) as conn:
        if await is_mailed(conn, organization_id, order_id, kind):
            return False
        sale = await load_sale(conn, organization_id, order_id)
    if sale.contact is None:
        return False
    message_id = f"<{kind}.{order_id}@{mailroom.host}>"
    credit_note = kind == "refunded" and any(unit.parts.total_minor for _, unit in sale.tickets)
    links = NewsLinks(mailroom.order_link(order_id), has_credit_note=credit_note)
    mail = write_news(sale, sale.contact, words, links, message_id)
    try:
        with span("send mail", "client"):
            await mailroom.mailer.send(mail)
    except MailRefused as refused:
        await note_refusal(pool, organization_id, message_id, refused)
        return False
    async with transaction(pool, organization_id) as conn:
        await note_delivery(conn, organization_id, order_id, kind, message_id)
    return True


@dataclass(frozen=True, slots=True)
class NewsLinks:
    """Where the mail leads: to the order's page, and to the credit note of what was refunded."""

    order: str
    has_credit_note: bool = False

    def credit_note(self, speak: Translator) -> list[str]:
        """Say where the credit note will be, as one paragraph, or none."""
        if not self.has_credit_note:
            return []
        text = speak.gettext("Your credit note, as soon as the money has been sent back:")
        return [f"{text}\n{self.order}/credit-note.pdf"]


def write_news(sale: Sale, contact: Contact, words: Words, links: NewsLinks, message_id: str) -> EmailMessage:
    """Write the mail, in the buyer's language. Pure."""
    speak = translator(sale.order.language)
    subject, body = words(sale, speak)
    greeting = speak.gettext("Hello %(name)s,", name=contact.name) if contact.name else speak.gettext("Hello,")
    message = EmailMessage()
    message["Message-ID"] = message_id
    message["Date"] = _moment(sale)
    message["To"] = Address(display_name=contact.name, addr_spec=contact.email)
    if sale.organization.contact_email:
        message["Reply-To"] = sale.organization.contact_email
    message["Subject"] = subject
    message["Auto-Submitted"] = "auto-generated"
    see = speak.gettext("You can see your order and its codes at any time here:")
    paragraphs = [greeting, body, *links.credit_note(speak), f"{see}\n{links.order}", sale.organization.name]
    text = "\n\n".join(paragraphs)
    message.set_content(text + "\n")
    message["Content-Language"] = speak.html_language
    return message


def _moment(sale: Sale) -> datetime:
    return sale.order.ended_at or sale.order.paid_at or sale.order.placed_at


def words_of(news: News) -> Words:
    """Return what writes news of how an order ended."""

    def words(sale: Sale, speak: Translator) -> tuple[str, str]:
        return _words(sale, news, speak)

    return words


def _words(sale: Sale, news: News, speak: Translator) -> tuple[str, str]:
    event = sale.terms.event_name
    total = speak.money(sale.order.total_minor, sale.order.currency)
    if news == "payment_declined":
        subject = speak.gettext("Your payment for %(event)s was declined", event=event)
        body = speak.gettext(
            "The payment of %(total)s was declined and nothing was charged. The places are free again; you are "
            "welcome to start over.",
            total=total,
        )
    elif news == "paid_unseated":
        subject = speak.gettext("Your money for %(event)s is on its way back", event=event)
        body = speak.gettext(
            "Your payment of %(total)s came after the places had gone to somebody else, and there are no equal ones "
            "left. All of it is being returned; you need not do anything.",
            total=total,
        )
    else:
        subject = speak.gettext("Your order for %(event)s was refunded", event=event)
        body = speak.gettext("Your order was refunded. Its tickets no longer open the door.")
    return subject, body
