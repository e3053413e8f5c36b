"""Orders, their units and tickets: what is paid is delivered, once, and states agree with each other."""

from fullhouse.operations.verify.check import Check

ORDER_CHECKS = (
    Check(
        4,
        "units_are_as_many_as_paid",
        "A line of tickets of a paid order has as many units as its quantity, live or cancelled; of others, none.",
        """
        SELECT organization_id, order_id, l.line_number, o.status, l.quantity, count(u.unit_id) AS units
        FROM orders o
        JOIN order_lines l USING (organization_id, order_id)
        LEFT JOIN units u USING (organization_id, order_id, line_number)
        WHERE l.kind = 'ticket'
        GROUP BY organization_id, order_id, l.line_number, o.status, l.quantity
        HAVING count(u.unit_id) <> CASE o.status
            WHEN 'paid' THEN l.quantity
            -- Money that bought nothing went back: such an order never had units.
            WHEN 'refunded' THEN CASE WHEN count(u.unit_id) = 0 THEN 0 ELSE l.quantity END
            ELSE 0
        END
        """,
    ),
    Check(
        4,
        "unit_has_one_valid_ticket",
        "No unit has two valid tickets, or two of one generation.",
        """
        SELECT organization_id, unit_id, array_agg(ticket_id) AS ticket_ids FROM tickets
        GROUP BY organization_id, unit_id
        HAVING count(*) FILTER (WHERE status = 'valid') > 1 OR count(*) <> count(DISTINCT generation)
        """,
    ),
    Check(
        4,
        "paid_unit_gets_its_ticket",
        "A minute after an order was paid, each of its live units has a valid ticket.",
        """
        SELECT u.organization_id, u.order_id, u.unit_id, o.paid_at
        FROM units u JOIN orders o USING (organization_id, order_id)
        WHERE u.status = 'live'
          AND coalesce(o.paid_at, '-infinity') < clock_timestamp() - make_interval(secs => 60 * $1::float8)
          AND NOT EXISTS (
            SELECT FROM tickets t
            WHERE t.organization_id = u.organization_id AND t.unit_id = u.unit_id AND t.status = 'valid'
          )
        """,
        graced=True,
    ),
    Check(
        4,
        "issued_tickets_are_mailed",
        "Ten minutes after tickets were issued, their document is stored and their mail is sent.",
        """
        SELECT t.organization_id, t.order_id, min(t.issued_at) AS issued_at
        FROM tickets t JOIN order_contacts c USING (organization_id, order_id)
        WHERE t.status = 'valid' AND t.issued_at < clock_timestamp() - make_interval(secs => 600 * $1::float8)
          AND NOT (
            EXISTS (SELECT FROM mail_deliveries m
                    WHERE m.organization_id = t.organization_id AND m.order_id = t.order_id)
            AND EXISTS (SELECT FROM ticket_documents d
                        WHERE d.organization_id = t.organization_id AND d.order_id = t.order_id)
          )
        GROUP BY t.organization_id, t.order_id
        """,
        graced=True,
    ),
    Check(
        6,
        "order_ends_with_its_hold",
        "A minute after a hold ended, its order is not pending; and no order is cancelled while its hold lives on.",
        """
        SELECT organization_id, order_id, o.status, reservation_id, r.status AS reservation_status, r.ended_at
        FROM orders o JOIN reservations r USING (organization_id, reservation_id)
        WHERE (o.status = 'pending' AND r.status <> 'held'
               AND coalesce(r.ended_at, '-infinity') < clock_timestamp() - make_interval(secs => 60 * $1::float8))
           OR (o.status IN ('cancelled', 'expired', 'paid_unseated') AND r.status IN ('held', 'sold'))
           OR (o.status = 'paid' AND r.status <> 'sold')
        """,
        graced=True,
    ),
    Check(
        15,
        "code_counts_its_uses",
        "A code counts the orders that use it, and an order that ended unpaid uses none.",
        """
        SELECT c.organization_id, c.code_id, c.use_count, count(u.order_id) AS uses,
               count(*) FILTER (WHERE o.status IN ('cancelled', 'expired')) AS ended
        FROM codes c
        LEFT JOIN code_uses u
            ON u.organization_id = c.organization_id AND u.code_id = c.code_id AND u.returned_at IS NULL
        LEFT JOIN orders o ON o.organization_id = u.organization_id AND o.order_id = u.order_id
        GROUP BY c.organization_id, c.code_id, c.use_count
        HAVING c.use_count <> count(u.order_id) OR count(*) FILTER (WHERE o.status IN ('cancelled', 'expired')) > 0
        """,
    ),
    Check(
        6,
        "attempt_ends_in_time",
        "No payment attempt is open an hour past its deadline.",
        """
        SELECT organization_id, payment_id, order_id, provider, deadline_at FROM payments
        WHERE status = 'started' AND deadline_at < clock_timestamp() - make_interval(secs => 3600 * $1::float8)
        """,
        graced=True,
    ),
)
