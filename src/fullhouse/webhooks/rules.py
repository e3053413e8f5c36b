"""Webhooks: what is sent, how often it is tried, and what an attempt's outcome means. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Literal, get_args
from uuid import UUID

from fullhouse.core.errors import Conflict, NotFound

MessageType = Literal[
    "event.published",
    "event.cancelled",
    "session.scheduled",
    "session.changed",
    "session.cancelled",
    "reservation.held",
    "reservation.released",
    "reservation.expired",
    "reservation.sold",
    "order.placed",
    "order.paid",
    "order.cancelled",
    "order.expired",
    "order.paid_unseated",
    "order.refunded",
    "payment.succeeded",
    "payment.declined",
    "payment.cancelled",
    "refund.requested",
    "refund.succeeded",
    "refund.failed",
    "refund.forfeited",
    "dispute.opened",
    "dispute.won",
    "dispute.lost",
    "ticket.issued",
    "ticket.voided",
    "ticket.admitted",
]
"""Every message that is not internal; an endpoint chooses among them."""

MESSAGE_TYPES: frozenset[str] = frozenset(get_args(MessageType))
TEST_TYPE = "webhook.tested"

ENDPOINTS_MAX = 20
"""Endpoints of one organization."""

OVERLAP_HOURS_MAX = 168
OVERLAP_HOURS = 24

RETRY_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""The waits between attempts, as Standard Webhooks proposes them: ten attempts in a little more than three days."""

ATTEMPTS_MAX = len(RETRY_SECONDS) + 1
JITTER = 0.1
"""Each wait is longer or shorter by up to this part of it, so that what failed together does not come back together."""

GONE = 410


class EndpointStatus(Enum):
    """Whether an endpoint is sent anything."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DisabledReason(Enum):
    """Why it is not."""

    BY_REQUEST = "by_request"
    GONE = "gone"
    """The receiver answered 410."""
    FAILING = "failing"
    """A delivery failed for three days, and nothing else arrived meanwhile."""


class DeliveryStatus(Enum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Trouble(Enum):
    """Why an attempt has no answer, or none that counts."""

    NAME_UNKNOWN = "name_unknown"
    """The name server knows no address, or did not answer."""
    ADDRESS_REFUSED = "address_refused"
    """The URL, or an address that its name leads to, is not of the public internet; nothing was connected to."""
    CONNECT_FAILED = "connect_failed"
    TLS_FAILED = "tls_failed"
    """The certificate is not good for the name, or no common version was found."""
    TIMED_OUT = "timed_out"
    CONNECTION_LOST = "connection_lost"
    """The connection ended before the answer's head was whole."""
    ANSWER_UNREADABLE = "answer_unreadable"
    REDIRECTED = "redirected"
    """Redirects are not followed."""


class WebhookEndpointNotFound(NotFound):
    """The organization has no such endpoint."""

    code = "webhook_endpoint_not_found"
    title = "There is no such webhook endpoint."


class WebhookDeliveryNotFound(NotFound):
    """The endpoint has no such delivery; the log reaches back thirty days."""

    code = "webhook_delivery_not_found"
    title = "There is no such delivery."


class WebhookEndpointDisabled(Conflict):
    """Nothing is sent to a disabled endpoint; ``disabled_reason`` says why it is."""

    code = "webhook_endpoint_disabled"
    title = "The endpoint is disabled; enable it first."


class TooManyWebhookEndpoints(Conflict):
    """The organization has as many endpoints as it may; ``endpoints_max`` says how many."""

    code = "too_many_webhook_endpoints"
    title = "No more webhook endpoints are possible."


@dataclass(frozen=True, slots=True)
class EndpointFields:
    """What its owner decides about an endpoint."""

    url: str
    description: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where messages go."""

    organization_id: UUID
    endpoint_id: UUID
    url: str
    description: str
    types: tuple[str, ...]
    status: EndpointStatus
    disabled_reason: DisabledReason | None
    disabled_at: datetime | None
    secret_number: int
    previous_secret_until: datetime | None
    failure_count: int
    last_delivered_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Chosen:
    """An endpoint that wants some types."""

    endpoint_id: UUID
    is_enabled: bool
    types: frozenset[str]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to one endpoint. ``last_*`` tell of the latest attempt."""

    delivery_id: UUID
    message_id: UUID
    type: str
    is_test: bool
    status: DeliveryStatus
    attempts: int
    due_at: datetime | None
    created_at: datetime
    ended_at: datetime | None
    last_status_code: int | None
    last_trouble: str | None
    last_attempted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt."""

    status_code: int | None
    trouble: Trouble | None
    excerpt: str
    duration_seconds: float

    @property
    def is_success(self) -> bool:
        """Say whether the receiver took the message: any 2xx."""
        return self.trouble is None and self.status_code is not None and 200 <= self.status_code < 300


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a delivery and its endpoint stand before an attempt is counted."""

    attempts: int
    """How many there were in this round, without the present one."""
    is_test: bool
    endpoint_enabled: bool
    others_arrived: bool
    """Whether anything was delivered to the endpoint since this round of attempts began."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What an attempt leads to."""

    status: DeliveryStatus
    retry_seconds: float | None = None
    disable: DisabledReason | None = None


def after_attempt(standing: Standing, outcome: Outcome, chance: float) -> Decision:
    """Decide what follows an attempt. ``chance`` is from 0 to 1, and spreads the waits.

    A receiver that answers 410 is not asked again. One message that fails for good among others that arrive is the
    message's fault and not the receiver's: the endpoint stays.
    """
    if outcome.is_success:
        return Decision(DeliveryStatus.DELIVERED)
    if standing.is_test or not standing.endpoint_enabled:
        return Decision(DeliveryStatus.FAILED)
    if outcome.status_code == GONE:
        return Decision(DeliveryStatus.FAILED, disable=DisabledReason.GONE)
    if standing.attempts + 1 >= ATTEMPTS_MAX:
        return Decision(DeliveryStatus.FAILED, disable=None if standing.others_arrived else DisabledReason.FAILING)
    wait = RETRY_SECONDS[standing.attempts] * (1 + JITTER * (2 * chance - 1))
    return Decision(DeliveryStatus.PENDING, retry_seconds=wait)
