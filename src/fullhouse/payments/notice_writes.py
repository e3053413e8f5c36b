"""The statements of notices: stored as received, once; adopted when it is known whose money they name; applied."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.outbox import APPEND_IF_NEW, Cause, Told, append_each_arguments
from fullhouse.infra.postgres import Connection
from fullhouse.payments.messages import NoticeReceived
from fullhouse.payments.providers.port import Notice
from fullhouse.payments.rules import Payment

INSERT_AND_TELL = (
    """
    WITH stored AS (
        INSERT INTO payment_notices (organization_id, notice_id, provider, provider_notice_id, payment_id,
                                     capture_reference, body)
        SELECT $10, n.notice_id, $11, n.provider_notice_id, n.payment_id, n.capture_reference, n.body
        FROM unnest($12::uuid[], $13::text[], $14::uuid[], $15::text[], $16::jsonb[])
            AS n(notice_id, provider_notice_id, payment_id, capture_reference, body)
        ORDER BY n.provider_notice_id
        ON CONFLICT ON CONSTRAINT payment_notices_once DO NOTHING RETURNING notice_id
    ), new AS (
        SELECT told.message_id FROM unnest($12::uuid[], $2::uuid[]) AS told(notice_id, message_id)
        JOIN stored USING (notice_id)
    )
    """
    + APPEND_IF_NEW
    + " RETURNING (data ->> 'notice_id')::uuid AS notice_id"
)


class Received(NamedTuple):
    """A notice about a payment, what is to be told of it, and in whose name."""

    notice: Notice
    about: NoticeReceived
    cause: Cause


async def insert_notices_and_tell(
    conn: Connection, make_id: MakeId, organization_id: UUID, provider: str, received: Sequence[Received]
) -> set[UUID]:
    """Store notices about payments as received, each with the message that has it applied, both or neither.

    One statement, since providers are answered only after it. Returns the ids of those that were not stored before.
    """
    told = [Told(one.about, *one.cause) for one in received]
    rows = await conn.fetch(
        INSERT_AND_TELL,
        *append_each_arguments([make_id() for _ in received], told),
        organization_id,
        provider,
        [one.about.notice_id for one in received],
        [one.notice.provider_notice_id for one in received],
        [one.notice.payment_id for one in received],
        [one.notice.capture_reference for one in received],
        [one.notice.body for one in received],
    )
    return {row["notice_id"] for row in rows}


async def insert_notice(
    conn: Connection, notice_id: UUID, provider: str, notice: Notice, about: tuple[UUID, UUID | None]
) -> bool:
    """Store a notice as received, about a payment of an organization. False means that it was stored before."""
    organization_id, payment_id = about
    tag = await conn.execute(
        """
        INSERT INTO payment_notices (organization_id, notice_id, provider, provider_notice_id, payment_id,
                                     capture_reference, body)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT ON CONSTRAINT payment_notices_once DO NOTHING
        """,
        organization_id,
        notice_id,
        provider,
        notice.provider_notice_id,
        payment_id,
        notice.capture_reference,
        notice.body,
    )
    return tag == "INSERT 0 1"


async def adopt_notices(conn: Connection, organization_id: UUID, payments: Sequence[Payment]) -> list[NoticeReceived]:
    """Say of notices that named money whose payment was not known: it is one of these. Returns what is to be told."""
    rows = await conn.fetch(
        """
        UPDATE payment_notices n SET payment_id = p.payment_id
        FROM unnest($2::text[], $3::text[], $4::uuid[]) AS p(provider, capture_reference, payment_id)
        WHERE n.organization_id = $1 AND n.provider = p.provider AND n.capture_reference = p.capture_reference
          AND n.payment_id IS NULL
        RETURNING n.notice_id, n.payment_id
        """,
        organization_id,
        [payment.provider for payment in payments],
        [payment.capture_reference for payment in payments],
        [payment.payment_id for payment in payments],
    )
    orders = {payment.payment_id: payment.order_id for payment in payments}
    adopted = sorted((row["notice_id"], orders[row["payment_id"]]) for row in rows)
    return [NoticeReceived(organization_id, order_id, notice_id) for notice_id, order_id in adopted]


async def mark_applied(conn: Connection, organization_id: UUID, notice_ids: Sequence[UUID]) -> None:
    """Write down that notices were applied, in the transaction of what they changed.

    They are locked in order of their ids: two who were given the same notices would wait for each other in a circle.
    """
    await conn.execute(
        """
        WITH locked AS MATERIALIZED (
            SELECT notice_id FROM payment_notices WHERE organization_id = $1 AND notice_id = ANY ($2::uuid[])
            ORDER BY notice_id FOR NO KEY UPDATE
        )
        UPDATE payment_notices n SET applied_at = coalesce(n.applied_at, clock_timestamp()) FROM locked
        WHERE n.organization_id = $1 AND n.notice_id = locked.notice_id
        """,
        organization_id,
        notice_ids,
    )
