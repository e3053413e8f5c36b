"""Each refusal in plain words, with a way on. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fullhouse.core.errors import DomainError, Kind
from fullhouse.events.rules import SessionTerms
from fullhouse.infra.idempotency import IdempotencyInFlight, IdempotencyKeyReused
from fullhouse.infra.languages import Translator
from fullhouse.orders.persons.rules import FormChanged
from fullhouse.orders.rules import LimitPerBuyer
from fullhouse.pricing.codes import CodeNotValid
from fullhouse.reservations.rules import LimitPerOrder, NotOnSale, NotSold, ReservationExpired, SeatTaken, SoldOut
from fullhouse.web.pages.shop.words import why_not_on_sale


@dataclass(frozen=True, slots=True)
class Notice:
    """What stands at the top of a page that was refused."""

    title: str
    text: str
    is_bad: bool = True


def ask_of_tickets(speak: Translator) -> Notice:
    """Ask for the rest, now that it is known how many tickets."""
    return Notice(
        speak.gettext("Almost done"),
        speak.gettext("Please say who the tickets are for, below. Nothing is reserved yet."),
        is_bad=False,
    )


def explain_refusal(speak: Translator, error: DomainError, terms: SessionTerms, now: datetime) -> Notice | None:
    """Say why an order could not be placed; None for what the form does not deal with."""
    if isinstance(error, SoldOut):
        return _sold_out(speak, error, terms)
    if isinstance(error, LimitPerOrder):
        return _limit(speak, error)
    if isinstance(error, NotOnSale):
        return Notice(*why_not_on_sale(speak, terms, now))
    if error.kind is Kind.UNAVAILABLE:
        return Notice(
            speak.gettext("Very many people are buying at this moment"),
            speak.gettext("Please send the form again in a few seconds. What you entered is still here."),
        )
    return _simple(speak).get(error.code)


def _simple(speak: Translator) -> Mapping[str, Notice]:
    """List the refusals that are always said in the same words, by code."""
    gettext = speak.gettext
    twice = Notice(gettext("This form was sent twice"), gettext("Please send it once more. Nothing was charged."))
    return {
        FormChanged.code: Notice(
            gettext("What this event asks has changed"),
            gettext("Please look at the questions again, and send the form once more. Nothing was charged."),
        ),
        SeatTaken.code: Notice(
            gettext("Somebody else was faster"), gettext("One of these seats has just been taken. Please choose again.")
        ),
        NotSold.code: Notice(
            gettext("This is not sold together"),
            gettext("That ticket type is not sold for these places. Please choose other places or another type."),
        ),
        ReservationExpired.code: Notice(
            gettext("Your places are no longer held"),
            gettext("It took too long, so they went back on sale. Please send the form again."),
        ),
        LimitPerBuyer.code: Notice(
            gettext("That is more than one buyer may have"),
            gettext("The organizer limits the tickets of one mail address for this event. Please choose fewer."),
        ),
        CodeNotValid.code: Notice(
            gettext("This code is not valid here, or no longer"),
            gettext("Please look whether it was typed as you got it, or take it away and go on without it."),
        ),
        IdempotencyInFlight.code: twice,
        IdempotencyKeyReused.code: twice,
    }


def explain_code(speak: Translator, code: str) -> Notice | None:
    """Say what became of a wish that an order's page sent, by the code in its address; None for an unknown one."""
    gettext = speak.gettext
    match code:
        case "payment_open":
            return Notice(
                gettext("The payment cannot be stopped yet"),
                gettext("The payment provider has not decided. Please wait a moment; this page shows how it ends."),
            )
        case "provider_unavailable":
            return Notice(
                gettext("The payment provider does not answer"),
                gettext("Please try again in a moment. You do not pay twice."),
            )
        case "provider_unknown":
            return Notice(gettext("This way to pay is not offered"), gettext("Please choose another one."))
        case "move_closed":
            return Notice(
                gettext("The time to answer is over"), gettext("What the organizer declared counts for your tickets.")
            )
        case _:
            return None


def _sold_out(speak: Translator, error: SoldOut, terms: SessionTerms) -> Notice:
    available = error.fields.get("available")
    name = next(
        (kind.name for kind in terms.ticket_types if str(kind.ticket_type_id) == error.fields.get("ticket_type_id")),
        "",
    )
    if not isinstance(available, int):
        return Notice(
            speak.gettext("There are not enough seats left there"),
            speak.gettext("Please choose fewer tickets, or other places."),
        )
    if available <= 0:
        return Notice(
            speak.gettext("%(name)s: sold out", name=name) if name else speak.gettext("Sold out"),
            speak.gettext("Others hold or bought the last ones. Places that are not paid come back in a few minutes."),
        )
    return Notice(
        speak.gettext("There is not enough left"),
        speak.ngettext(
            "Only %(num)s place is left for %(name)s at this moment. Please choose fewer tickets.",
            "Only %(num)s places are left for %(name)s at this moment. Please choose fewer tickets.",
            available,
            name=name,
        ),
    )


def _limit(speak: Translator, error: LimitPerOrder) -> Notice:
    limit = error.fields.get("limit")
    count = limit if isinstance(limit, int) else 1
    return Notice(
        speak.gettext("That is more than one order may have"),
        speak.ngettext(
            "One order may have at most %(num)s of these tickets. Please choose fewer.",
            "One order may have at most %(num)s of these tickets. Please choose fewer.",
            count,
        ),
    )
