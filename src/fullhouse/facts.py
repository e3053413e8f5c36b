"""Every fact that the product announces: the one table of message types, from which their contract is made."""

from fullhouse.admission.messages import TicketAdmitted
from fullhouse.aftersales.moves.messages import MoveAnnounced
from fullhouse.core.message import Fact
from fullhouse.events.messages import EventCancelled, EventPublished, SessionCancelled, SessionChanged, SessionScheduled
from fullhouse.identity.messages import MailRequested
from fullhouse.orders.messages import (
    OrderCancelled,
    OrderExpired,
    OrderPaid,
    OrderPaidUnseated,
    OrderPlaced,
    OrderRefunded,
)
from fullhouse.organizations.messages import MemberInvited
from fullhouse.payments.messages import (
    DisputeLost,
    DisputeOpened,
    DisputeWon,
    NoticeReceived,
    PaymentCancelled,
    PaymentDeclinedFact,
    PaymentSucceeded,
    RefundFailed,
    RefundForfeited,
    RefundRequested,
    RefundSucceeded,
)
from fullhouse.reservations.messages import (
    ReservationExpired,
    ReservationHeld,
    ReservationReleased,
    ReservationSold,
)
from fullhouse.tickets.messages import OrderLinksRequested, TicketIssued, TicketMailRequested, TicketVoided
from fullhouse.webhooks.messages import WebhookTested
from fullhouse.webhooks.rules import MESSAGE_TYPES

FACTS: tuple[type[Fact], ...] = (
    MailRequested,
    MemberInvited,
    EventPublished,
    EventCancelled,
    SessionScheduled,
    SessionChanged,
    SessionCancelled,
    ReservationHeld,
    ReservationReleased,
    ReservationExpired,
    ReservationSold,
    OrderPlaced,
    OrderPaid,
    OrderCancelled,
    OrderExpired,
    OrderPaidUnseated,
    OrderRefunded,
    OrderLinksRequested,
    MoveAnnounced,
    PaymentSucceeded,
    PaymentDeclinedFact,
    PaymentCancelled,
    NoticeReceived,
    RefundRequested,
    RefundSucceeded,
    RefundFailed,
    RefundForfeited,
    DisputeOpened,
    DisputeWon,
    DisputeLost,
    TicketIssued,
    TicketVoided,
    TicketMailRequested,
    TicketAdmitted,
)
"""All that brokers carry, in the order of the sale."""

SENT_TO_ENDPOINTS: tuple[type[Fact], ...] = (*(fact for fact in FACTS if fact.type in MESSAGE_TYPES), WebhookTested)
"""What endpoints of organizations are sent, if they chose it."""

PUBLISHED: tuple[type[Fact], ...] = (*FACTS, WebhookTested)
"""All whose schemas are kept."""

WAITING_TYPES = frozenset(fact.type for fact in FACTS if fact.key_waits)
"""Types whose key waits when one of them is parked.

An order's key concerns one buyer, and its story makes no sense with a step left out. A session's key concerns
everybody who buys, so it goes on.
"""
