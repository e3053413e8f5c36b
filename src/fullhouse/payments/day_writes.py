"""The statements of comparing days: which days are due, what we say of one, and notices that wait."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from fullhouse.infra.postgres import Connection, Record
from fullhouse.payments.queries import payment_of, refund_of
from fullhouse.payments.rules import Payment, Refund

LEASE_SECONDS = 600
DAYS_BACK = 7
STRANGERS_KEPT_DAYS = 7


async def claim_days(conn: Connection, providers: Sequence[str], count_max: int) -> list[Record]:
    """Claim days of the last week that ended a quarter of an hour ago and were not compared: each for one process.

    A day is due for whoever had a payment in it, and for whoever has keys. Crosses organizations: it only names what
    to compare.
    """
    return await conn.fetch(
        """
        WITH days AS (
            SELECT day::date FROM generate_series(
                ((clock_timestamp() - interval '15 minutes') AT TIME ZONE 'UTC')::date - $3::integer,
                ((clock_timestamp() - interval '15 minutes') AT TIME ZONE 'UTC')::date - 1, interval '1 day') AS day
        ), due AS (
            SELECT DISTINCT organization_id, provider, (started_at AT TIME ZONE 'UTC')::date AS day
            FROM payments p
            WHERE started_at > clock_timestamp() - make_interval(days => $3::integer + 1)
              AND EXISTS (SELECT FROM days WHERE day = (p.started_at AT TIME ZONE 'UTC')::date)
            UNION
            SELECT organization_id, provider, day FROM provider_keys k
            JOIN days ON day >= (k.created_at AT TIME ZONE 'UTC')::date
        ), open AS (
            SELECT d.* FROM due d LEFT JOIN reconciliations r USING (organization_id, provider, day)
            WHERE provider = ANY ($1) AND r.compared_at IS NULL
              AND (r.leased_until IS NULL OR r.leased_until <= clock_timestamp())
            ORDER BY day, organization_id, provider LIMIT $2
        )
        INSERT INTO reconciliations AS r (organization_id, provider, day, leased_until)
        SELECT organization_id, provider, day, clock_timestamp() + make_interval(secs => $4) FROM open
        ON CONFLICT (organization_id, provider, day) DO UPDATE SET leased_until = excluded.leased_until
        WHERE r.compared_at IS NULL AND (r.leased_until IS NULL OR r.leased_until <= clock_timestamp())
        RETURNING organization_id, provider, day
        """,
        providers,
        count_max,
        DAYS_BACK,
        float(LEASE_SECONDS),
    )


async def postpone_day(conn: Connection, organization_id: UUID, provider: str, day: date, error: str) -> None:
    """Write why a day could not be compared; it is due again when the lease ends."""
    await conn.execute(
        "UPDATE reconciliations SET last_error = $4 WHERE organization_id = $1 AND provider = $2 AND day = $3",
        organization_id,
        provider,
        day,
        error[:500],
    )


async def end_day(conn: Connection, organization_id: UUID, provider: str, day: date, counts: tuple[int, int]) -> None:
    """Write that a day was compared: how much the provider told, and how much was healed."""
    await conn.execute(
        """
        INSERT INTO reconciliations AS r (organization_id, provider, day, compared_at, told_count, healed_count)
        VALUES ($1, $2, $3, clock_timestamp(), $4, $5)
        ON CONFLICT (organization_id, provider, day) DO UPDATE SET compared_at = excluded.compared_at,
            told_count = excluded.told_count, healed_count = r.healed_count + excluded.healed_count,
            leased_until = NULL, last_error = NULL
        """,
        organization_id,
        provider,
        day,
        *counts,
    )


async def captured_between(
    conn: Connection, organization_id: UUID, provider: str, since: datetime, until: datetime
) -> list[Payment]:
    """List the payments that captured money in a span."""
    rows = await conn.fetch(
        """
        SELECT * FROM payments WHERE organization_id = $1 AND provider = $2 AND captured_minor > 0
            AND ended_at >= $3 AND ended_at < $4
        """,
        organization_id,
        provider,
        since,
        until,
    )
    return [payment_of(row) for row in rows]


async def refunded_between(
    conn: Connection, organization_id: UUID, provider: str, since: datetime, until: datetime
) -> list[tuple[Refund, Payment]]:
    """List what a provider gave back in a span, with its payment; not what a dispute or the organization has paid."""
    refunds = await conn.fetch(
        """
        SELECT r.* FROM refunds r JOIN payments p USING (organization_id, payment_id)
        WHERE r.organization_id = $1 AND p.provider = $2 AND r.status = 'succeeded'
          AND r.otherwise_reference IS NULL AND r.dispute_id IS NULL
          AND r.ended_at >= $3 AND r.ended_at < $4
        ORDER BY r.refund_id
        """,
        organization_id,
        provider,
        since,
        until,
    )
    payments = await conn.fetch(
        "SELECT * FROM payments WHERE organization_id = $1 AND payment_id = ANY ($2)",
        organization_id,
        [row["payment_id"] for row in refunds],
    )
    by_id = {row["payment_id"]: payment_of(row) for row in payments}
    return [(refund_of(row), by_id[row["payment_id"]]) for row in refunds]


async def adopt_all_waiting(conn: Connection) -> list[Record]:
    """Give notices that wait the payment whose money they name, where it is known by now. Crosses organizations."""
    return await conn.fetch(
        """
        UPDATE payment_notices n SET payment_id = p.payment_id FROM payments p
        WHERE n.payment_id IS NULL AND p.organization_id = n.organization_id AND p.provider = n.provider
          AND p.capture_reference = n.capture_reference
        RETURNING n.organization_id, n.notice_id, p.order_id
        """
    )


async def drop_strangers(conn: Connection) -> None:
    """Drop notices that named no payment of ours for a week: the organization sells elsewhere too."""
    await conn.execute(
        """
        DELETE FROM payment_notices n WHERE n.payment_id IS NULL
          AND n.received_at < clock_timestamp() - make_interval(days => $1)
        """,
        STRANGERS_KEPT_DAYS,
    )
