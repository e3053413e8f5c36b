"""Why a card was declined, in plain words, with what the buyer can do. Pure."""

from collections.abc import Mapping, Sequence

from fullhouse.infra.languages import Translator
from fullhouse.payments.rules import Payment, PaymentStatus


def explain_decline(reason: str | None, speak: Translator) -> str:
    """Say what to do after a try that was declined, by the word of the port; the usual advice for any other."""
    gettext = speak.gettext
    words: Mapping[str, str] = {
        "card_declined": gettext("The bank declined the card and did not say why. Try another card, or ask the bank."),
        "insufficient_funds": gettext("There is not enough money on the card. Try another card."),
        "card_expired": gettext("The card has expired. Try another card."),
        "card_details_wrong": gettext("The number, date or security code of the card is wrong. Enter them again."),
        "authentication_failed": gettext("The bank could not confirm that it is you. Try again, or another card."),
        "amount_not_possible": gettext("This amount cannot be paid this way. Choose another way to pay."),
        "try_again_later": gettext("The bank could not decide at this moment. Try again in a few minutes."),
        "not_possible": gettext("This cannot be paid this way. Choose another way to pay."),
    }
    return words.get(reason or "", words["card_declined"])


def last_decline(payments: Sequence[Payment]) -> Payment | None:
    """Find the latest try that was declined: an attempt that ended so, or an open one that waits for another card."""
    tried = [one for one in payments if one.status is PaymentStatus.DECLINED or one.reason is not None]
    return tried[-1] if tried and tried[-1].status in {PaymentStatus.DECLINED, PaymentStatus.STARTED} else None
