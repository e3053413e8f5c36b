"""Finding a buyer's orders, and gathering all that is kept of them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fullhouse.infra.postgres import Connection
from fullhouse.privacy.rules import BuyersOrder


async def find_orders_of(conn: Connection, organization_id: UUID, email: str) -> list[BuyersOrder]:
    """Find an organization's orders of a mail address in any case of its letters, the oldest first."""
    rows = await conn.fetch(
        """
        SELECT o.order_id,
               o.status IN ('pending', 'paid', 'paid_unseated') AND s.status <> 'cancelled'
               AND coalesce(s.ends_at, s.starts_at + interval '1 day') > clock_timestamp() AS is_ahead
        FROM order_contacts c
        JOIN orders o USING (organization_id, order_id)
        JOIN sessions s USING (organization_id, session_id)
        WHERE c.organization_id = $1 AND lower(c.email) = lower($2)
        ORDER BY o.order_id
        """,
        organization_id,
        email,
    )
    return [BuyersOrder(row["order_id"], row["is_ahead"]) for row in rows]


async def gather_orders(conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Gather what is kept of orders, each as it is handed over, the oldest first."""
    rows = await conn.fetch(
        """
        SELECT jsonb_build_object(
            'id', o.order_id, 'status', o.status, 'placed_at', o.placed_at, 'paid_at', o.paid_at,
            'email', c.email, 'name', c.name, 'language', o.language,
            'total_minor', o.total_minor, 'currency', o.currency, 'reason', o.reason,
            'event', e.name, 'session', s.name, 'starts_at', s.starts_at,
            'consents', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'purpose', a.purpose, 'text_version', a.text_version, 'given_at', a.given_at,
                    'text', (SELECT shown ->> 'text'
                        FROM event_forms f CROSS JOIN LATERAL jsonb_array_elements(f.consents) shown
                        WHERE f.organization_id = $1 AND f.event_id = o.event_id AND shown ->> 'purpose' = a.purpose
                          AND shown ->> 'text_version' = a.text_version
                        ORDER BY f.version_number LIMIT 1))), '[]')
                FROM order_consents a WHERE a.organization_id = $1 AND a.order_id = o.order_id),
            'holders', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'line_number', h.line_number, 'number', h.number, 'name', h.name)
                    ORDER BY h.line_number, h.number), '[]')
                FROM order_holders h WHERE h.organization_id = $1 AND h.order_id = o.order_id),
            'answers', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'line_number', nullif(w.line_number, 0), 'number', nullif(w.number, 0),
                    'question', w.question, 'answer', w.answer)
                    ORDER BY w.line_number, w.number, w.question), '[]')
                FROM order_answers w WHERE w.organization_id = $1 AND w.order_id = o.order_id),
            'lines', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'description', l.description, 'quantity', l.quantity, 'price_minor', l.price_minor,
                    'seats', l.seat_labels) ORDER BY l.line_number), '[]')
                FROM order_lines l WHERE l.organization_id = $1 AND l.order_id = o.order_id),
            'payments', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'provider', p.provider, 'status', p.status, 'amount_minor', p.amount_minor,
                    'started_at', p.started_at) ORDER BY p.attempt), '[]')
                FROM payments p WHERE p.organization_id = $1 AND p.order_id = o.order_id),
            'refunds', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'status', r.status, 'amount_minor', r.amount_minor, 'requested_at', r.requested_at)), '[]')
                FROM refunds r WHERE r.organization_id = $1 AND r.order_id = o.order_id),
            'tickets', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'id', t.ticket_id, 'status', t.status, 'issued_at', t.issued_at)), '[]')
                FROM tickets t WHERE t.organization_id = $1 AND t.order_id = o.order_id),
            'admissions', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'ticket_id', m.ticket_id, 'direction', m.direction, 'gate', m.gate,
                    'recorded_at', m.recorded_at) ORDER BY m.recorded_at), '[]')
                FROM admissions m JOIN tickets t USING (organization_id, ticket_id)
                WHERE m.organization_id = $1 AND t.order_id = o.order_id),
            'mails', (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', d.kind, 'sent_at', d.sent_at)), '[]')
                FROM mail_deliveries d WHERE d.organization_id = $1 AND d.order_id = o.order_id),
            'documents', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'key', f.object_key, 'content_type', f.content_type, 'size_bytes', f.size_bytes)), '[]')
                FROM ticket_documents f WHERE f.organization_id = $1 AND f.order_id = o.order_id)
        ) AS found
        FROM orders o
        JOIN order_contacts c USING (organization_id, order_id)
        JOIN sessions s USING (organization_id, session_id)
        JOIN events e ON e.organization_id = o.organization_id AND e.event_id = o.event_id
        WHERE o.organization_id = $1 AND o.order_id = ANY ($2) ORDER BY o.order_id
        """,
        organization_id,
        order_ids,
    )
    return [row["found"] for row in rows]


async def find_old_orders(conn: Connection, days: int, limit: int) -> list[tuple[UUID, UUID]]:
    """Find orders, of all organizations, whose buyer is still known so many days after the session."""
    rows = await conn.fetch(
        """
        SELECT c.organization_id, c.order_id
        FROM order_contacts c
        JOIN orders o USING (organization_id, order_id)
        JOIN sessions s USING (organization_id, session_id)
        WHERE coalesce(s.ends_at, s.starts_at + interval '1 day') < clock_timestamp() - make_interval(days => $1)
        LIMIT $2
        """,
        days,
        limit,
    )
    return [(row["organization_id"], row["order_id"]) for row in rows]


async def find_unswept(conn: Connection, after_seconds: float, limit: int) -> list[tuple[UUID, UUID]]:
    """Find erased orders, of all organizations, whose documents are to be removed once more."""
    rows = await conn.fetch(
        """
        SELECT organization_id, order_id FROM erased_orders
        WHERE swept_at IS NULL AND erased_at < clock_timestamp() - make_interval(secs => $1)
        ORDER BY erased_at LIMIT $2
        """,
        after_seconds,
        limit,
    )
    return [(row["organization_id"], row["order_id"]) for row in rows]
