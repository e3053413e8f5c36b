"""Writing orders. Every change of state names the states that it may come from, so a late one changes nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fullhouse.core.json import Json
from fullhouse.infra.postgres import Connection
from fullhouse.orders.lines import NewUnit, total_of
from fullhouse.orders.queries import order_of, unit_of
from fullhouse.orders.rules import Consent, Contact, Order, OrderLine, OrderStatus, Unit, before


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to place: its row but for the instant, its lines, and who buys with the hash that finds it again."""

    organization_id: UUID
    order_id: UUID
    event_id: UUID
    session_id: UUID
    reservation_id: UUID
    secret_hash: bytes
    currency: str
    language: str
    lines: tuple[OrderLine, ...]
    contact: Contact
    email_hash: bytes
    reason: str | None = None


_INSERT_LINES = """
    INSERT INTO order_lines (organization_id, order_id, line_number, kind, ticket_type_id, price_category_id,
                             description, area, seats, seat_keys, seat_labels, quantity, price_minor, quote)
    SELECT $1, l.* FROM jsonb_to_recordset($2) AS l(order_id uuid,
        line_number smallint, kind text, ticket_type_id uuid, price_category_id uuid, description text, area text,
        seats integer[], seat_keys text[], seat_labels text[], quantity integer, price_minor bigint, quote jsonb)
    """

_INSERT_ORDERS = (
    "WITH lined AS ("
    + _INSERT_LINES
    + """
    ), named AS (
        INSERT INTO order_contacts (organization_id, order_id, email, name)
        SELECT $1, c.* FROM unnest($3::uuid[], $4::text[], $5::text[]) AS c(order_id, email, name)
    ), findable AS (
        INSERT INTO order_emails (organization_id, order_id, email_hash)
        SELECT $1, e.* FROM unnest($3::uuid[], $6::bytea[]) AS e(order_id, email_hash)
    )
    INSERT INTO orders (organization_id, order_id, event_id, session_id, reservation_id, secret_hash,
                        total_minor, currency, language, reason)
    SELECT $1, o.* FROM unnest($3::uuid[], $7::uuid[], $8::uuid[], $9::uuid[], $10::bytea[], $11::bigint[], $12::text[],
                               $13::text[], $14::text[])
        AS o(order_id, event_id, session_id, reservation_id, secret_hash, total_minor, currency, language, reason)
    RETURNING order_id, placed_at
    """
)


async def insert_orders(conn: Connection, organization_id: UUID, new: Sequence[NewOrder]) -> list[Order]:
    """Write pending orders with their lines and contacts, and return them in the same order.

    The constraint ``orders_one_per_reservation`` refuses a second one of a reservation.
    """
    rows = await conn.fetch(
        _INSERT_ORDERS,
        organization_id,
        [_line_json(one.order_id, line) for one in new for line in one.lines],
        [one.order_id for one in new],
        [one.contact.email for one in new],
        [one.contact.name for one in new],
        [one.email_hash for one in new],
        [one.event_id for one in new],
        [one.session_id for one in new],
        [one.reservation_id for one in new],
        [one.secret_hash for one in new],
        [total_of(one.lines) for one in new],
        [one.currency for one in new],
        [one.language for one in new],
        [one.reason for one in new],
    )
    placed_at = {row["order_id"]: row["placed_at"] for row in rows}
    return [_pending(one, placed_at[one.order_id]) for one in new]


def _pending(new: NewOrder, placed_at: datetime) -> Order:
    return Order(
        organization_id=new.organization_id,
        order_id=new.order_id,
        event_id=new.event_id,
        session_id=new.session_id,
        reservation_id=new.reservation_id,
        status=OrderStatus.PENDING,
        secret_hash=new.secret_hash,
        total_minor=total_of(new.lines),
        currency=new.currency,
        language=new.language,
        placed_at=placed_at,
        paid_at=None,
        ended_at=None,
        reason=new.reason,
    )


async def lock_buyers(conn: Connection, buyers: Collection[tuple[UUID, str]]) -> None:
    """Let no other transaction place an order of these events for these buyers until this one has ended.

    They are locked in one order, so that of two transactions that meet one waits.
    """
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(b.buyer, 0)) FROM unnest($1::text[]) AS b(buyer)",
        sorted(f"buyer {event_id} {buyer}" for event_id, buyer in buyers),
    )


async def replace_email(conn: Connection, organization_id: UUID, order_id: UUID, email: str, email_hash: bytes) -> bool:
    """Write another address for who bought; False where who bought is not known any more."""
    tag = await conn.execute(
        """
        WITH known AS (
            UPDATE order_contacts SET email = $3 WHERE organization_id = $1 AND order_id = $2 RETURNING order_id
        ), findable AS (
            UPDATE order_emails SET email_hash = $4 WHERE organization_id = $1 AND order_id = $2
        )
        SELECT order_id FROM known
        """,
        organization_id,
        order_id,
        email,
        email_hash,
    )
    return tag == "SELECT 1"


REASON_ERASED = "-"
"""What stays of why tickets were given away: that they were."""


async def delete_persons(conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]) -> None:
    """Erase who bought: contacts, holders, answers, consents, why it was given, and hashes that lead to an order."""
    await conn.execute(
        """
        WITH held AS (
            DELETE FROM order_holders WHERE organization_id = $1 AND order_id = ANY ($2)
        ), answered AS (
            DELETE FROM order_answers WHERE organization_id = $1 AND order_id = ANY ($2)
        ), agreed AS (
            DELETE FROM order_consents WHERE organization_id = $1 AND order_id = ANY ($2)
        ), findable AS (
            DELETE FROM order_emails WHERE organization_id = $1 AND order_id = ANY ($2)
        ), given AS (
            UPDATE orders SET reason = $3 WHERE organization_id = $1 AND order_id = ANY ($2) AND reason IS NOT NULL
            RETURNING order_id
        ), lines AS (
            UPDATE order_lines l SET description = CASE WHEN l.kind = 'discount' THEN $3 ELSE l.description END,
                quote = CASE WHEN l.quote ->> 'discount_name' <> ''
                    THEN l.quote || jsonb_build_object('discount_name', $3::text) ELSE l.quote END
            FROM given WHERE l.organization_id = $1 AND l.order_id = given.order_id
        )
        DELETE FROM order_contacts WHERE organization_id = $1 AND order_id = ANY ($2)
        """,
        organization_id,
        order_ids,
        REASON_ERASED,
    )


class Said(NamedTuple):
    """What was given of people with one order, as it is kept."""

    order_id: UUID
    holders: Sequence[tuple[int, int, str]] = ()
    """Line, number and name of each."""
    answers: Sequence[tuple[int, int, str, str]] = ()
    """Line, number, question and answer."""
    consents: Sequence[Consent] = ()


async def insert_said(conn: Connection, organization_id: UUID, said: Sequence[Said]) -> None:
    """Write who tickets are for, what was answered, and what buyers agreed to, of several orders."""
    consents = [(one.order_id, consent) for one in said for consent in one.consents]
    if consents:
        await conn.execute(
            """
            INSERT INTO order_consents (organization_id, order_id, purpose, text_version)
            SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::text[])
            """,
            organization_id,
            [order_id for order_id, _ in consents],
            [consent.purpose for _, consent in consents],
            [consent.text_version for _, consent in consents],
        )
    holders = [(one.order_id, *holder) for one in said for holder in one.holders]
    if holders:
        await conn.execute(
            """
            INSERT INTO order_holders (organization_id, order_id, line_number, number, name)
            SELECT $1, * FROM unnest($2::uuid[], $3::smallint[], $4::smallint[], $5::text[])
            """,
            organization_id,
            *zip(*holders, strict=True),
        )
    answers = [(one.order_id, *answer) for one in said for answer in one.answers]
    if answers:
        await conn.execute(
            """
            INSERT INTO order_answers (organization_id, order_id, line_number, number, question, answer)
            SELECT $1, * FROM unnest($2::uuid[], $3::smallint[], $4::smallint[], $5::text[], $6::text[])
            """,
            organization_id,
            *zip(*answers, strict=True),
        )


async def replace_lines(conn: Connection, organization_id: UUID, order_id: UUID, lines: Sequence[OrderLine]) -> None:
    """Put these lines in the place of whatever lines the order had."""
    await conn.execute(
        "DELETE FROM order_lines WHERE organization_id = $1 AND order_id = $2", organization_id, order_id
    )
    await conn.execute(_INSERT_LINES, organization_id, [_line_json(order_id, line) for line in lines])


def _line_json(order_id: UUID, line: OrderLine) -> dict[str, Json]:
    return {
        "order_id": str(order_id),
        "line_number": line.line_number,
        "kind": line.kind,
        "ticket_type_id": str(line.ticket_type_id) if line.ticket_type_id else None,
        "price_category_id": str(line.price_category_id) if line.price_category_id else None,
        "description": line.description,
        "area": line.area,
        "seats": [seat.index for seat in line.seats],
        "seat_keys": [seat.key for seat in line.seats],
        "seat_labels": [seat.label for seat in line.seats],
        "quantity": line.quantity,
        "price_minor": line.price_minor,
        "quote": line.quote.to_json() if line.quote else None,
    }


async def lock_order(conn: Connection, organization_id: UUID, order_id: UUID) -> Order | None:
    """Lock an order until the transaction ends, and load it as it is then."""
    row = await conn.fetchrow(
        "SELECT * FROM orders WHERE organization_id = $1 AND order_id = $2 FOR UPDATE", organization_id, order_id
    )
    return order_of(row) if row else None


async def mark_order(conn: Connection, organization_id: UUID, order_id: UUID, status: OrderStatus) -> Order | None:
    """Move an order to another state. None, and nothing changed, where it may not become that any more."""
    marked = await mark_orders(conn, organization_id, [order_id], status)
    return marked[0] if marked else None


async def mark_orders(
    conn: Connection, organization_id: UUID, order_ids: Sequence[UUID], status: OrderStatus
) -> list[Order]:
    """Move orders to another state, and return those that could still become that."""
    rows = await conn.fetch(
        """
        UPDATE orders SET status = $3,
            paid_at = CASE WHEN $3 IN ('paid', 'paid_unseated') THEN clock_timestamp() ELSE paid_at END,
            ended_at = CASE WHEN $3 IN ('cancelled', 'expired', 'refunded') THEN clock_timestamp() END
        WHERE organization_id = $1 AND order_id = ANY ($2::uuid[]) AND status = ANY ($4) RETURNING *
        """,
        organization_id,
        order_ids,
        status.value,
        before(status),
    )
    return [order_of(row) for row in rows]


async def expire_pending(conn: Connection, organization_id: UUID, reservation_ids: Sequence[UUID]) -> list[Order]:
    """Expire what is pending of the orders that were placed from these reservations."""
    rows = await conn.fetch(
        """
        UPDATE orders SET status = 'expired', ended_at = clock_timestamp()
        WHERE (organization_id, order_id) IN (
            SELECT organization_id, order_id FROM orders
            WHERE organization_id = $1 AND reservation_id = ANY ($2) AND status = 'pending'
            ORDER BY order_id FOR UPDATE
        ) AND organization_id = $1 AND status = 'pending' RETURNING *
        """,
        organization_id,
        reservation_ids,
    )
    return [order_of(row) for row in rows]


async def insert_units(conn: Connection, organization_id: UUID, units: Sequence[tuple[Order, UUID, NewUnit]]) -> None:
    """Write units of orders. ``units_once`` and ``units_one_live_per_seat`` refuse a second of the same."""
    await conn.execute(
        """
        INSERT INTO units (organization_id, order_id, session_id, unit_id, line_number, number, ticket_type_id,
                           price_category_id, area, seat_index, seat_key, seat_label, quota_ids, price_minor,
                           discount_minor, fee_minor, absorbed_minor, tax_minor, tax_of_fees_minor, tax_added_minor)
        SELECT $1, u.* FROM jsonb_to_recordset($2) AS u(
            order_id uuid, session_id uuid, unit_id uuid, line_number smallint, number smallint, ticket_type_id uuid,
            price_category_id uuid, area text,
            seat_index integer, seat_key text, seat_label text, quota_ids uuid[], price_minor bigint,
            discount_minor bigint, fee_minor bigint, absorbed_minor bigint, tax_minor bigint,
            tax_of_fees_minor bigint, tax_added_minor bigint)
        """,
        organization_id,
        [
            {
                "order_id": str(order.order_id),
                "session_id": str(order.session_id),
                "unit_id": str(unit_id),
                "line_number": unit.line_number,
                "number": unit.number,
                "ticket_type_id": str(unit.item.ticket_type_id),
                "price_category_id": str(unit.item.price_category_id),
                "area": unit.item.area,
                "seat_index": unit.seat.index if unit.seat else None,
                "seat_key": unit.seat.key if unit.seat else None,
                "seat_label": unit.seat.label if unit.seat else None,
                "quota_ids": [str(quota_id) for quota_id in unit.item.quota_ids],
                **unit.parts._asdict(),
            }
            for order, unit_id, unit in units
        ],
    )


async def end_units(
    conn: Connection, organization_id: UUID, order_id: UUID, unit_ids: Sequence[UUID]
) -> tuple[Unit, ...]:
    """Cancel units of an order that are live, and return those; others stay as they are."""
    rows = await conn.fetch(
        """
        UPDATE units SET status = 'cancelled', cancelled_at = clock_timestamp()
        WHERE organization_id = $1 AND order_id = $2 AND unit_id = ANY ($3) AND status = 'live' RETURNING *
        """,
        organization_id,
        order_id,
        unit_ids,
    )
    return tuple(unit_of(row) for row in rows)


async def count_live_units(conn: Connection, organization_id: UUID, order_id: UUID) -> int:
    """Count the live units of an order that the caller has locked."""
    count: int = await conn.fetchval(
        "SELECT count(*) FROM units WHERE organization_id = $1 AND order_id = $2 AND status = 'live'",
        organization_id,
        order_id,
    )
    return count
