"""What a provider tells beside charges: how refunds and disputes stand, and what of it is new to us. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from fullhouse.payments.rules import Charge, Refund, RefundStatus

BY_HAND = "by_hand"
"""The reason of a refund that somebody made in the provider's own pages."""


@dataclass(frozen=True, slots=True)
class RefundNews:
    """A refund as the provider tells it. ``requested`` means that it has taken it on, and not done it yet."""

    reference: str
    status: RefundStatus
    amount_minor: int
    refund_id: UUID | None = None
    """Ours, where we asked for it; None for one that was made in the provider's pages."""
    reason: str | None = None
    """Why it failed, in the provider's words."""


class DisputeStatus(StrEnum):
    """How a dispute stands. ``DISPUTE_RANKS`` orders them: a lower one never follows a higher one."""

    OPENED = "opened"
    WON = "won"
    LOST = "lost"


DISPUTE_RANKS: Mapping[DisputeStatus, int] = {
    DisputeStatus.OPENED: 0,
    DisputeStatus.WON: 1,
    DisputeStatus.LOST: 2,
}


@dataclass(frozen=True, slots=True)
class DisputeNews:
    """A dispute as the provider tells it: a buyer's bank asks for the money back."""

    reference: str
    status: DisputeStatus
    amount_minor: int
    withdrawn: bool
    """Whether the provider has taken the money away from the organization for it; a mere inquiry does not."""
    reason: str | None = None


News = Charge | RefundNews | DisputeNews


@dataclass(frozen=True, slots=True)
class Told:
    """News and what they are about: the payment by our id, or by what the provider calls the money it took."""

    news: News
    payment_id: UUID | None = None
    capture_reference: str | None = None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute as we know it."""

    organization_id: UUID
    dispute_id: UUID
    order_id: UUID
    payment_id: UUID
    provider_reference: str
    status: DisputeStatus
    amount_minor: int
    currency: str
    withdrawn_minor: int
    """What the provider has taken away at any time, whether or not it came back."""
    reason: str | None


_REFUND_RANKS: Mapping[RefundStatus, int] = {
    RefundStatus.REQUESTED: 0,
    RefundStatus.SUCCEEDED: 1,
    # Banks may send money back days after the provider called its refund done.
    RefundStatus.FAILED: 2,
    # What a person has decided; no provider says that.
    RefundStatus.FORFEITED: 3,
}


def settle_refund_status(refund: Refund, news: RefundNews) -> RefundStatus:
    """Decide how a refund stands after news of it. The higher rank wins, for one name at the provider.

    News under a name that it had before are old, and of one that ended otherwise all are. A refund that we never heard
    a name of stands as the news say, whatever we thought of it.
    """
    ended_otherwise = refund.is_over and refund.provider_reference is None
    if ended_otherwise or news.reference in refund.past_references:
        return refund.status
    if refund.provider_reference is None:
        return news.status
    if news.reference != refund.provider_reference:
        return refund.status
    return news.status if _REFUND_RANKS[news.status] > _REFUND_RANKS[refund.status] else refund.status


@dataclass(frozen=True, slots=True)
class DisputeSettlement:
    """What news make of a dispute. The amounts are what has to be entered now, beyond what was entered before."""

    status: DisputeStatus
    withdrawn_minor: int
    newly_withdrawn_minor: int
    newly_returned_minor: int
    newly_lost_minor: int

    def changes(self, known: Dispute) -> bool:
        """Say whether anything is new."""
        return self.status is not known.status or self.withdrawn_minor != known.withdrawn_minor


def settle_dispute_status(known: Dispute, news: DisputeNews) -> DisputeSettlement:
    """Decide what news change of a dispute, so that any order and any duplication of them ends the same."""
    status = news.status if DISPUTE_RANKS[news.status] > DISPUTE_RANKS[known.status] else known.status
    withdrawn = max(known.withdrawn_minor, news.amount_minor if news.withdrawn else 0)
    return DisputeSettlement(
        status=status,
        withdrawn_minor=withdrawn,
        newly_withdrawn_minor=withdrawn - known.withdrawn_minor,
        newly_returned_minor=_returned(status, withdrawn) - _returned(known.status, known.withdrawn_minor),
        newly_lost_minor=_lost(status, withdrawn) - _lost(known.status, known.withdrawn_minor),
    )


def paid_by_dispute(refunds: Sequence[Refund], lost_minor: int) -> list[Refund]:
    """Choose the refunds of a payment that a lost dispute has paid to the buyer, as far as its money reaches.

    Those that have failed, and those that the provider never took on; what it is at may still be done.
    """
    chosen: list[Refund] = []
    for refund in refunds:
        waits = refund.status is RefundStatus.REQUESTED and refund.provider_reference is None
        if (waits or refund.status is RefundStatus.FAILED) and refund.amount_minor <= lost_minor:
            chosen.append(refund)
            lost_minor -= refund.amount_minor
    return chosen


def _returned(status: DisputeStatus, withdrawn_minor: int) -> int:
    return withdrawn_minor if status is DisputeStatus.WON else 0


def _lost(status: DisputeStatus, withdrawn_minor: int) -> int:
    return withdrawn_minor if status is DisputeStatus.LOST else 0
