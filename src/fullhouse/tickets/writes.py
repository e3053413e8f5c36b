"""Writing tickets, their keys, and what was rendered and mailed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from fullhouse.infra.mail_feedback import Feedback
from fullhouse.infra.postgres import Connection, Record
from fullhouse.orders.rules import Order
from fullhouse.tickets.queries import ticket_of
from fullhouse.tickets.rules import Ticket, TicketKey


async def lock_order_tickets(conn: Connection, organization_id: UUID, *order_ids: UUID) -> None:
    """Let one transaction at a time issue or void tickets of an order, whether or not it has rows yet.

    The last lock to be taken; of several orders, in order of their ids. Without it, tickets could be issued for units
    that are just being cancelled.
    """
    await conn.execute(
        """
        SELECT pg_advisory_xact_lock(hashtextextended('tickets/' || $1::uuid || '/' || order_id, 0))
        FROM unnest($2::uuid[]) AS o(order_id)
        """,
        organization_id,
        sorted(order_ids),
    )


async def lock_keys(conn: Connection, organization_id: UUID) -> None:
    """Let one transaction at a time make a ticket key of an organization."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('ticket_keys/' || $1::uuid, 0))", organization_id)


async def insert_key(conn: Connection, organization_id: UUID, key_id: int, public_key: bytes) -> TicketKey:
    """Write a public key, and retire those before it."""
    await conn.execute(
        """
        UPDATE ticket_keys SET retired_at = clock_timestamp()
        WHERE organization_id = $1 AND key_id < $2 AND retired_at IS NULL
        """,
        organization_id,
        key_id,
    )
    await conn.execute(
        "INSERT INTO ticket_keys (organization_id, key_id, public_key) VALUES ($1, $2, $3)",
        organization_id,
        key_id,
        public_key,
    )
    return TicketKey(key_id, public_key, retired=False)


class NewTicket(NamedTuple):
    """The first ticket of a unit of an order."""

    order: Order
    ticket_id: UUID
    unit_id: UUID


async def insert_first_tickets(
    conn: Connection, organization_id: UUID, key_id: int, tickets: Sequence[NewTicket]
) -> list[Ticket]:
    """Write the first generation for units. Returns the tickets of those that had none before."""
    rows = await conn.fetch(
        """
        INSERT INTO tickets (organization_id, ticket_id, event_id, session_id, order_id, unit_id, generation, key_id)
        SELECT $1, t.ticket_id, t.event_id, t.session_id, t.order_id, t.unit_id, 1, $2
        FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[])
            WITH ORDINALITY AS t(ticket_id, event_id, session_id, order_id, unit_id, ordinal) ORDER BY t.ordinal
        ON CONFLICT ON CONSTRAINT tickets_generation DO NOTHING RETURNING *
        """,
        organization_id,
        key_id,
        [new.ticket_id for new in tickets],
        [new.order.event_id for new in tickets],
        [new.order.session_id for new in tickets],
        [new.order.order_id for new in tickets],
        [new.unit_id for new in tickets],
    )
    return by_id(rows)


async def end_tickets(
    conn: Connection, organization_id: UUID, order_id: UUID, unit_ids: Sequence[UUID]
) -> list[Ticket]:
    """Void the valid tickets of units of an order, and return those; others stay as they are."""
    rows = await conn.fetch(
        """
        UPDATE tickets SET status = 'void', ended_at = clock_timestamp()
        WHERE organization_id = $1 AND order_id = $2 AND unit_id = ANY ($3) AND status = 'valid' RETURNING *
        """,
        organization_id,
        order_id,
        unit_ids,
    )
    return by_id(rows)


def by_id(rows: Sequence[Record]) -> list[Ticket]:
    """Build tickets from their rows, sorted by id as ``load_tickets`` sorts them."""
    return sorted((ticket_of(row) for row in rows), key=lambda ticket: ticket.ticket_id)


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """Where a rendered document is kept."""

    organization_id: UUID
    order_id: UUID
    object_key: str
    content_type: str
    size_bytes: int


async def note_documents(conn: Connection, organization_id: UUID, documents: Sequence[StoredDocument]) -> None:
    """Note that documents of an organization were rendered and stored; a second time changes nothing."""
    await conn.execute(
        """
        INSERT INTO ticket_documents (organization_id, order_id, object_key, content_type, size_bytes)
        SELECT $1, d.order_id, d.object_key, d.content_type, d.size_bytes
        FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[])
            AS d(order_id, object_key, content_type, size_bytes)
        ORDER BY d.object_key
        ON CONFLICT DO NOTHING
        """,
        organization_id,
        [document.order_id for document in documents],
        [document.object_key for document in documents],
        [document.content_type for document in documents],
        [document.size_bytes for document in documents],
    )


class SentMail(NamedTuple):
    """A mail that the server took."""

    order_id: UUID
    kind: str
    message_id: str


async def note_delivery(conn: Connection, organization_id: UUID, order_id: UUID, kind: str, message_id: str) -> None:
    """Note that a mail was taken by the server; a second time changes nothing, unless it was refused before."""
    await note_deliveries(conn, organization_id, [SentMail(order_id, kind, message_id)])


async def note_deliveries(conn: Connection, organization_id: UUID, mails: Sequence[SentMail]) -> None:
    """Note the same of several mails of an organization; one that is named twice is noted once."""
    once = sorted({(mail.order_id, mail.kind): mail for mail in mails}.values())
    await conn.execute(
        """
        INSERT INTO mail_deliveries AS m (organization_id, order_id, kind, message_id)
        SELECT $1, d.order_id, d.kind, d.message_id
        FROM unnest($2::uuid[], $3::text[], $4::text[]) AS d(order_id, kind, message_id)
        ORDER BY d.order_id, d.kind
        ON CONFLICT (organization_id, order_id, kind) DO UPDATE
        SET sent_at = clock_timestamp(), problem = NULL, problem_is_permanent = NULL, problem_reason = NULL,
            problem_at = NULL
        WHERE m.problem = 'refused'
        """,
        organization_id,
        [mail.order_id for mail in once],
        [mail.kind for mail in once],
        [mail.message_id for mail in once],
    )


async def delete_documents(conn: Connection, organization_id: UUID, order_id: UUID, object_keys: Sequence[str]) -> None:
    """Forget documents that were removed from the store."""
    await conn.execute(
        "DELETE FROM ticket_documents WHERE organization_id = $1 AND order_id = $2 AND object_key = ANY ($3)",
        organization_id,
        order_id,
        object_keys,
    )


async def note_problem(conn: Connection, organization_id: UUID, order_id: UUID, kind: str, feedback: Feedback) -> None:
    """Note that a mail did not arrive. What is permanent stays, also after what is not."""
    await conn.execute(
        """
        INSERT INTO mail_deliveries AS m (organization_id, order_id, kind, message_id,
                                          problem, problem_is_permanent, problem_reason, problem_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())
        ON CONFLICT (organization_id, order_id, kind) DO UPDATE
        SET problem = excluded.problem, problem_is_permanent = excluded.problem_is_permanent,
            problem_reason = excluded.problem_reason, problem_at = excluded.problem_at
        WHERE m.problem IS DISTINCT FROM excluded.problem AND m.problem_is_permanent IS NOT TRUE
           OR excluded.problem_is_permanent AND m.problem_is_permanent IS NOT TRUE
        """,
        organization_id,
        order_id,
        kind,
        feedback.message_id,
        feedback.problem,
        feedback.is_permanent,
        feedback.reason,
    )


async def insert_link_request(conn: Connection, request_id: UUID, email: str, language: str) -> None:
    """Enter that links are wanted."""
    await conn.execute(
        "INSERT INTO link_requests (request_id, email, language) VALUES ($1, $2, $3)", request_id, email, language
    )


async def delete_link_request(conn: Connection, request_id: UUID) -> None:
    """Forget a request, with its address."""
    await conn.execute("DELETE FROM link_requests WHERE request_id = $1", request_id)


async def delete_old_link_requests(conn: Connection, days: int) -> int:
    """Forget requests that could not be served. Returns how many."""
    tag = await conn.execute(
        "DELETE FROM link_requests WHERE created_at < clock_timestamp() - make_interval(days => $1)", days
    )
    return int(tag.split()[-1])
