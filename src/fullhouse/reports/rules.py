"""What statements and exports are asked for, and what they are. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from fullhouse.core.errors import Unavailable

ExportKind = Literal["orders", "payments", "refunds", "ledger", "balances"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What of an organization's books is asked for; None asks for all. ``since`` is included, ``until`` is not."""

    organization_id: UUID
    event_id: UUID | None = None
    session_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One account in one currency over a span of time. What an account receives is positive, as in the ledger."""

    account: str
    currency: str
    opening_minor: int
    received_minor: int
    given_minor: int

    @property
    def closing_minor(self) -> int:
        """Return what is on it at the end."""
        return self.opening_minor + self.received_minor - self.given_minor


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One line of an entry of the ledger."""

    entry_id: UUID
    line: int
    account: str
    amount_minor: int
    currency: str
    order_id: UUID
    payment_id: UUID | None
    refund_id: UUID | None
    dispute_id: UUID | None
    event_id: UUID
    session_id: UUID
    entered_at: datetime


class ExportsBusy(Unavailable):
    """As many exports run as this process lets run at once; try again in a moment."""

    code = "exports_busy"
    title = "Other exports are running; try again in a moment."
