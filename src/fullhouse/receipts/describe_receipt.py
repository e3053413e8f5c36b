"""Putting a receipt into the words of the buyer's language, ready to be printed. Pure."""

from fullhouse.infra.languages import translator
from fullhouse.orders.rules import Contact
from fullhouse.receipts.rules import Printed, Receipt
from fullhouse.tickets.rules import reference_of


def describe_receipt(receipt: Receipt, contact: Contact | None, language: str) -> Printed:
    """Describe a receipt or credit note; ``contact`` is None where who bought was erased. The date is that of UTC."""
    speak = translator(language)
    is_credit = receipt.kind == "credit_note"
    title = speak.gettext("Credit note") if is_credit else speak.gettext("Receipt")
    rows: list[tuple[str, str, str, str]] = []
    for line in receipt.lines:
        what = line.description
        if is_credit:
            what = speak.gettext("Paid back, of receipt %(number)s", number=line.description)
        price, total = (speak.money(amount, receipt.currency) for amount in (line.price_minor, line.total_minor))
        rows.append((str(line.quantity), what, price, total))
    return Printed(
        language=speak.html_language,
        title=title,
        organization=receipt.organization,
        number=receipt.label,
        date=speak.date(receipt.issued_at, "UTC"),
        buyer=contact.name or contact.email if contact else "",
        facts=(
            (speak.gettext("Number"), receipt.label),
            (speak.gettext("Date"), speak.date(receipt.issued_at, "UTC")),
            (speak.gettext("Order"), reference_of(receipt.order_id)),
            (speak.gettext("Event"), receipt.event),
        ),
        lines=tuple(rows),
        heads=(
            speak.gettext("Quantity"),
            speak.gettext("Description"),
            speak.gettext("Price"),
            speak.gettext("Sum"),
        ),
        total=(
            speak.gettext("Paid back") if is_credit else speak.gettext("Paid"),
            speak.money(receipt.amount_minor, receipt.currency),
        ),
        tax_heads=(speak.gettext("Tax"), speak.gettext("Rate"), speak.gettext("Net"), speak.gettext("Tax amount")),
        taxes=tuple(
            (
                tax.name,
                speak.percent(tax.rate),
                speak.money(tax.net_minor, receipt.currency),
                speak.money(tax.tax_minor, receipt.currency),
            )
            for tax in receipt.taxes
        ),
        labels={"buyer": speak.gettext("For")},
        issued_at=receipt.issued_at,
    )
