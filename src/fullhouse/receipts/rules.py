"""What a receipt is and what is printed on it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from fullhouse.core.errors import NotFound
from fullhouse.pricing.tax_rows import TaxRow

ReceiptKind = Literal["receipt", "credit_note"]


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """A line as it was when the receipt was made."""

    quantity: int
    description: str
    price_minor: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt for what was paid, or a credit note for what was given back. It never changes."""

    organization_id: UUID
    receipt_id: UUID
    kind: ReceiptKind
    year: int
    number: int
    order_id: UUID
    refund_id: UUID | None
    """Of a credit note: the money that went back."""
    amount_minor: int
    currency: str
    issued_at: datetime
    organization: str
    event: str
    lines: tuple[ReceiptLine, ...]
    taxes: tuple[TaxRow, ...] = ()
    """By rate. The credit notes of an order that is given back whole have those of its receipt, to the cent."""

    @property
    def label(self) -> str:
        """Return its number as people write it: ``2031-000042``. It is unique in its organization."""
        return f"{self.year}-{self.number:06d}"


@dataclass(frozen=True, slots=True)
class Printed:
    """A receipt in the words of one language, ready to be printed."""

    language: str
    title: str
    organization: str
    number: str
    date: str
    buyer: str
    """Empty where who bought was erased."""
    facts: tuple[tuple[str, str], ...]
    lines: tuple[tuple[str, str, str, str], ...]
    heads: tuple[str, str, str, str]
    total: tuple[str, str]
    tax_heads: tuple[str, str, str, str]
    taxes: tuple[tuple[str, str, str, str], ...]
    labels: Mapping[str, str]
    issued_at: datetime


class ReceiptNotFound(NotFound):
    """The order has no such receipt; one that was just paid gets it in a moment."""

    code = "receipt_not_found"
    title = "There is no such receipt."
