"""What payments announce, keyed by the order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypedDict
from uuid import UUID

from fullhouse.core.message import CurrencyCode, Id, Means, Minor
from fullhouse.payments.news import Dispute, DisputeStatus
from fullhouse.payments.rules import Payment, Refund

Provider = Annotated[str, Means(example="simulated")]
Reason = Annotated[str, Means("A stable word, where there is something to say.", example="card_declined")]


class PaymentData(TypedDict):
    """A payment in short."""

    order_id: Id
    payment_id: Id
    provider: Provider
    attempt: int
    amount_minor: Minor
    captured_minor: Minor
    currency: CurrencyCode
    reason: Reason | None


class NoticeData(TypedDict):
    """Where the notice is found."""

    notice_id: Id
    order_id: Id


class RefundData(TypedDict):
    """A refund in short."""

    order_id: Id
    refund_id: Id
    payment_id: Id
    amount_minor: Minor
    currency: CurrencyCode
    reason: Reason | None


class DisputeData(TypedDict):
    """A dispute in short."""

    order_id: Id
    dispute_id: Id
    payment_id: Id
    amount_minor: Minor
    currency: CurrencyCode
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class PaymentFact:
    """A fact about a payment as it stood."""

    payment: Payment

    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = True

    @property
    def organization_id(self) -> UUID:
        """Whose sale it is."""
        return self.payment.organization_id

    @property
    def key(self) -> UUID:
        """Order by order."""
        return self.payment.order_id

    def data(self) -> PaymentData:
        """Return the payment in short."""
        return {
            "order_id": str(self.payment.order_id),
            "payment_id": str(self.payment.payment_id),
            "provider": self.payment.provider,
            "attempt": self.payment.attempt,
            "amount_minor": self.payment.amount_minor,
            "captured_minor": self.payment.captured_minor,
            "currency": self.payment.currency,
            "reason": self.payment.reason,
        }


class PaymentSucceeded(PaymentFact):
    """Money was captured. It may have come too late: ``order.paid`` says that it bought something."""

    type: ClassVar[str] = "payment.succeeded"


class PaymentDeclinedFact(PaymentFact):
    """An attempt was declined; another may follow while the hold lasts."""

    type: ClassVar[str] = "payment.declined"


class PaymentCancelled(PaymentFact):
    """The provider confirmed that an attempt will take no money."""

    type: ClassVar[str] = "payment.cancelled"


@dataclass(frozen=True, slots=True)
class NoticeReceived:
    """A provider's notice was stored and waits to be applied. Internal."""

    organization_id: UUID
    order_id: UUID
    notice_id: UUID

    type: ClassVar[str] = "payment.notice_received"
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False

    @property
    def key(self) -> UUID:
        """Order by order."""
        return self.order_id

    def data(self) -> NoticeData:
        """Return the notice's id."""
        return {"notice_id": str(self.notice_id), "order_id": str(self.order_id)}


@dataclass(frozen=True, slots=True)
class RefundFact:
    """A fact about a refund as it stood."""

    refund: Refund

    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = True

    @property
    def organization_id(self) -> UUID:
        """Whose sale it was."""
        return self.refund.organization_id

    @property
    def key(self) -> UUID:
        """Order by order."""
        return self.refund.order_id

    def data(self) -> RefundData:
        """Return the refund in short."""
        return {
            "order_id": str(self.refund.order_id),
            "refund_id": str(self.refund.refund_id),
            "payment_id": str(self.refund.payment_id),
            "amount_minor": self.refund.amount_minor,
            "currency": self.refund.currency,
            "reason": self.refund.reason,
        }


class RefundRequested(RefundFact):
    """Money is to be given back; a worker asks the provider."""

    type: ClassVar[str] = "refund.requested"


class RefundSucceeded(RefundFact):
    """The buyer has the money back: from the provider, by a dispute, or otherwise from the organization."""

    type: ClassVar[str] = "refund.succeeded"


class RefundFailed(RefundFact):
    """The provider refused to give the money back; somebody has to look at it."""

    type: ClassVar[str] = "refund.failed"


class RefundForfeited(RefundFact):
    """Money that did not go back is owed no more, as a person has decided."""

    type: ClassVar[str] = "refund.forfeited"


@dataclass(frozen=True, slots=True)
class DisputeFact:
    """A fact about a dispute as it stood."""

    dispute: Dispute

    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = True

    @property
    def organization_id(self) -> UUID:
        """Whose sale it was."""
        return self.dispute.organization_id

    @property
    def key(self) -> UUID:
        """Order by order."""
        return self.dispute.order_id

    def data(self) -> DisputeData:
        """Return the dispute in short."""
        return {
            "order_id": str(self.dispute.order_id),
            "dispute_id": str(self.dispute.dispute_id),
            "payment_id": str(self.dispute.payment_id),
            "amount_minor": self.dispute.amount_minor,
            "currency": self.dispute.currency,
            "reason": self.dispute.reason,
        }


class DisputeOpened(DisputeFact):
    """A buyer's bank asks for the money back; somebody has to answer in the provider's pages."""

    type: ClassVar[str] = "dispute.opened"


class DisputeWon(DisputeFact):
    """A dispute ended well: the money stays, or came back."""

    type: ClassVar[str] = "dispute.won"


class DisputeLost(DisputeFact):
    """A dispute was lost: the money is gone. The tickets are still valid, unless somebody voids them."""

    type: ClassVar[str] = "dispute.lost"


DISPUTE_FACTS: Mapping[DisputeStatus, type[DisputeOpened | DisputeWon | DisputeLost]] = {
    DisputeStatus.OPENED: DisputeOpened,
    DisputeStatus.WON: DisputeWon,
    DisputeStatus.LOST: DisputeLost,
}
