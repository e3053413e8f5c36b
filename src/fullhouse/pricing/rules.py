"""What may be charged or taken off beside a price, as data: declared fees and taxes, and discounts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from fullhouse.core.errors import NotFound
from fullhouse.core.json import Json

WHOLE: Final = 1_000_000
"""Rates are integers of millionths: 20 percent is 200,000."""
FEES_MAX: Final = 5
TAXES_MAX: Final = 5
CHARGES_NAME_LENGTH_MAX: Final = 50


class Level(StrEnum):
    """For what fees and taxes are declared: the nearest declaration counts, as a whole."""

    ORGANIZATION = "organization"
    EVENT = "event"
    SESSION = "session"


class FeePer(StrEnum):
    """How often a fee is charged."""

    TICKET = "ticket"
    ORDER = "order"


class Payer(StrEnum):
    """Who pays a fee: the buyer on top of the price, or the organizer out of it."""

    BUYER = "buyer"
    ORGANIZER = "organizer"


class TaxOn(StrEnum):
    """What a tax is reckoned from."""

    ALL = "all"
    TICKETS = "tickets"
    FEES = "fees"


class RoundBy(StrEnum):
    """Of what a tax is rounded: of each ticket, of each line, or of the whole order."""

    TICKET = "ticket"
    LINE = "line"
    ORDER = "order"


class Half(StrEnum):
    """Where exactly half a minor unit goes: to the even neighbour, or up."""

    EVEN = "even"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Fee:
    """A fee: a fixed amount, a share of the discounted price, or both. What costs nothing carries none."""

    name: str
    per: FeePer
    payer: Payer
    amount_minor: int = 0
    rate: int = 0


@dataclass(frozen=True, slots=True)
class Tax:
    """A tax by its rate."""

    name: str
    rate: int
    on: TaxOn = TaxOn.ALL


@dataclass(frozen=True, slots=True)
class Charges:
    """A declaration of fees and taxes. It never changes: another one takes its place, under another id."""

    charges_id: UUID
    currency: str
    """Fixed amounts are of it; where something else is sold, the fees do not count."""
    fees: tuple[Fee, ...] = ()
    taxes: tuple[Tax, ...] = ()
    taxes_included: bool = True
    """Whether prices and fees contain the taxes; else these are added to them."""
    round_by: RoundBy = RoundBy.LINE
    half: Half = Half.EVEN

    def in_currency(self, currency: str) -> "Charges":
        """Return what counts where a currency is sold: fixed amounts of another one do not."""
        if currency == self.currency:
            return self
        return replace(self, currency=currency, fees=tuple(fee for fee in self.fees if not fee.amount_minor))

    def to_json(self) -> dict[str, Json]:
        """Return what is kept of a declaration."""
        return {
            "fees": [[fee.name, fee.per.value, fee.payer.value, fee.amount_minor, fee.rate] for fee in self.fees],
            "taxes": [[tax.name, tax.rate, tax.on.value] for tax in self.taxes],
            "taxes_included": self.taxes_included,
            "round_by": self.round_by.value,
            "half": self.half.value,
        }


def charges_from_json(charges_id: UUID, currency: str, kept: Mapping[str, Any]) -> Charges:
    """Read a declaration back."""
    return Charges(
        charges_id=charges_id,
        currency=currency,
        fees=tuple(Fee(name, FeePer(per), Payer(payer), *numbers) for name, per, payer, *numbers in kept["fees"]),
        taxes=tuple(Tax(name, rate, TaxOn(on)) for name, rate, on in kept["taxes"]),
        taxes_included=kept["taxes_included"],
        round_by=RoundBy(kept["round_by"]),
        half=Half(kept["half"]),
    )


@dataclass(frozen=True, slots=True)
class Discount:
    """What a code takes off: a share of the price, or an amount for each ticket or for the whole order."""

    name: str
    rate: int = 0
    amount_minor: int = 0
    per: FeePer = FeePer.TICKET
    ticket_type_ids: frozenset[UUID] = frozenset()
    """The ticket types that it is for; none: all."""

    def covers(self, ticket_type_id: UUID) -> bool:
        """Say whether tickets of this type become cheaper."""
        return not self.ticket_type_ids or ticket_type_id in self.ticket_type_ids


def percent_text(rate: int) -> str:
    """Write a rate as people do: ``20``, ``8.875``."""
    whole, rest = divmod(rate, WHOLE // 100)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".")


class ChargesNotFound(NotFound):
    """Nothing is declared there."""

    code = "charges_not_found"
    title = "No fees and taxes are declared there."
