"""Wire models of webhooks."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from fullhouse.infra.http import ApiModel, Instant, Line, Whole
from fullhouse.webhooks.destination import URL_LENGTH_MAX
from fullhouse.webhooks.queries import Attempt
from fullhouse.webhooks.rules import (
    MESSAGE_TYPES,
    OVERLAP_HOURS,
    OVERLAP_HOURS_MAX,
    Delivery,
    DeliveryStatus,
    DisabledReason,
    Endpoint,
    EndpointStatus,
    MessageType,
    Trouble,
)


def _distinct(types: list[MessageType]) -> list[MessageType]:
    return list(dict.fromkeys(types))


Types = Annotated[
    list[MessageType],
    Field(min_length=1, max_length=len(MESSAGE_TYPES), description="The messages that are sent."),
    AfterValidator(_distinct),
]
Url = Annotated[
    str,
    Field(min_length=1, max_length=URL_LENGTH_MAX, description="https, port 443 or 8443, on the public internet."),
]


class NewEndpointBody(ApiModel):
    """An endpoint to make."""

    url: Url
    types: Types
    description: Line = ""


class EndpointChangeBody(ApiModel):
    """What to change; what is left out stays."""

    url: Url | None = None
    types: Types | None = None
    description: Line | None = None
    status: EndpointStatus | None = None


class RotationBody(ApiModel):
    """How long the present secret signs beside the next one."""

    overlap_hours: Annotated[Whole, Field(ge=0, le=OVERLAP_HOURS_MAX)] = OVERLAP_HOURS


class ReplayBody(ApiModel):
    """From which instant on failed messages are sent again."""

    since: Instant


class EndpointAnswer(ApiModel):
    """Where messages go, and how it is doing."""

    id: UUID
    url: str
    description: str
    types: list[str]
    status: EndpointStatus
    disabled_reason: DisabledReason | None
    disabled_at: datetime | None
    previous_secret_until: datetime | None
    failure_count: int
    last_delivered_at: datetime | None
    created_at: datetime


class EndpointWithSecretAnswer(EndpointAnswer):
    """An endpoint with its secret, shown this once."""

    secret: str


class DeliveryAnswer(ApiModel):
    """One message on its way to the endpoint; `last_` tells of the latest attempt, `due_at` when the next is."""

    id: UUID
    message_id: UUID
    type: str
    is_test: bool
    status: DeliveryStatus
    attempts: int
    due_at: datetime | None
    last_status_code: int | None
    last_trouble: Trouble | None
    last_attempted_at: datetime | None
    created_at: datetime
    ended_at: datetime | None


class AttemptAnswer(ApiModel):
    """One attempt, and the first kilobyte of what was answered."""

    attempted_at: datetime
    status_code: int | None
    trouble: Trouble | None
    excerpt: str
    duration_seconds: float


class DeliveryDetailAnswer(DeliveryAnswer):
    """A delivery with its body and its latest attempts, the newest first."""

    body: str
    log: list[AttemptAnswer]


class ReplayedAnswer(ApiModel):
    """How many are sent again; where there is `more`, call again."""

    count: int
    more: bool


def endpoint_fields(endpoint: Endpoint) -> dict[str, Any]:
    """Write an endpoint as the fields of its answer."""
    return {
        "id": endpoint.endpoint_id,
        "url": endpoint.url,
        "description": endpoint.description,
        "types": list(endpoint.types),
        "status": endpoint.status,
        "disabled_reason": endpoint.disabled_reason,
        "disabled_at": endpoint.disabled_at,
        "previous_secret_until": endpoint.previous_secret_until,
        "failure_count": endpoint.failure_count,
        "last_delivered_at": endpoint.last_delivered_at,
        "created_at": endpoint.created_at,
    }


def delivery_answer(delivery: Delivery) -> DeliveryAnswer:
    """Answer with a delivery."""
    return DeliveryAnswer(**_delivery_fields(delivery))


def delivery_detail(delivery: Delivery, body: str, attempts: list[Attempt]) -> DeliveryDetailAnswer:
    """Answer with a delivery, its body and its log."""
    log = [
        AttemptAnswer(
            attempted_at=one.attempted_at,
            status_code=one.status_code,
            trouble=_trouble(one.trouble),
            excerpt=one.excerpt,
            duration_seconds=round(one.duration_seconds, 3),
        )
        for one in attempts
    ]
    return DeliveryDetailAnswer(**_delivery_fields(delivery), body=body, log=log)


def _delivery_fields(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.delivery_id,
        "message_id": delivery.message_id,
        "type": delivery.type,
        "is_test": delivery.is_test,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "due_at": delivery.due_at,
        "last_status_code": delivery.last_status_code,
        "last_trouble": _trouble(delivery.last_trouble),
        "last_attempted_at": delivery.last_attempted_at,
        "created_at": delivery.created_at,
        "ended_at": delivery.ended_at,
    }


def _trouble(name: str | None) -> Trouble | None:
    return None if name is None else Trouble(name)
