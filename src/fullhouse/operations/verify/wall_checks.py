"""The wall between organizations: what belongs to a thing belongs to the organization of the thing."""

from fullhouse.operations.verify.check import Check

WALL_CHECKS = (
    Check(
        14,
        "row_belongs_to_its_organization",
        "What a row refers to is in the row's own organization.",
        """
        SELECT 'session of event' AS what, organization_id, session_id AS id FROM sessions c
        WHERE NOT EXISTS (SELECT FROM events p WHERE p.organization_id = c.organization_id AND p.event_id = c.event_id)
        UNION ALL
        SELECT 'reservation of stock', organization_id, reservation_id FROM reservations c
        WHERE NOT EXISTS (SELECT FROM stock p WHERE p.organization_id = c.organization_id
                          AND p.session_id = c.session_id)
        UNION ALL
        SELECT 'order of reservation', organization_id, order_id FROM orders c
        WHERE NOT EXISTS (SELECT FROM reservations p WHERE p.organization_id = c.organization_id
                          AND p.reservation_id = c.reservation_id AND p.session_id = c.session_id)
        UNION ALL
        SELECT 'order of session', organization_id, order_id FROM orders c
        WHERE NOT EXISTS (SELECT FROM sessions p WHERE p.organization_id = c.organization_id
                          AND p.session_id = c.session_id AND p.event_id = c.event_id)
        UNION ALL
        SELECT 'unit of order', organization_id, unit_id FROM units c
        WHERE NOT EXISTS (SELECT FROM orders p WHERE p.organization_id = c.organization_id
                          AND p.order_id = c.order_id AND p.session_id = c.session_id)
        UNION ALL
        SELECT 'payment of order', organization_id, payment_id FROM payments c
        WHERE NOT EXISTS (SELECT FROM orders p WHERE p.organization_id = c.organization_id
                          AND p.order_id = c.order_id AND p.currency = c.currency)
        UNION ALL
        SELECT 'refund of payment', organization_id, refund_id FROM refunds c
        WHERE NOT EXISTS (SELECT FROM payments p WHERE p.organization_id = c.organization_id
                          AND p.payment_id = c.payment_id AND p.order_id = c.order_id AND p.currency = c.currency)
        UNION ALL
        SELECT 'ledger entry of order', organization_id, entry_id FROM ledger_entries c
        WHERE NOT EXISTS (SELECT FROM orders p WHERE p.organization_id = c.organization_id
                          AND p.order_id = c.order_id AND p.currency = c.currency)
        UNION ALL
        SELECT 'ticket of unit', organization_id, ticket_id FROM tickets c
        WHERE NOT EXISTS (SELECT FROM units p WHERE p.organization_id = c.organization_id AND p.unit_id = c.unit_id
                          AND p.order_id = c.order_id AND p.session_id = c.session_id)
        UNION ALL
        SELECT 'key of ticket', organization_id, ticket_id FROM tickets c
        WHERE NOT EXISTS (SELECT FROM ticket_keys p WHERE p.organization_id = c.organization_id
                          AND p.key_id = c.key_id)
        UNION ALL
        SELECT 'refunded unit', organization_id, unit_id FROM refunded_units c
        WHERE NOT EXISTS (SELECT FROM units p WHERE p.organization_id = c.organization_id AND p.unit_id = c.unit_id
                          AND p.order_id = c.order_id)
        """,
    ),
    Check(
        14,
        "directory_knows_the_owner",
        "The directory names the organization that owns the thing.",
        """
        SELECT d.organization_id, d.kind, d.id, t.organization_id AS owner
        FROM directory d JOIN (
            SELECT event_id AS id, organization_id, 'event' AS kind FROM events
            UNION ALL SELECT session_id, organization_id, 'session' FROM sessions
            UNION ALL SELECT seat_map_id, organization_id, 'seat_map' FROM seat_maps
            UNION ALL SELECT order_id, organization_id, 'order' FROM orders
            UNION ALL SELECT payment_id, organization_id, 'payment' FROM payments
            UNION ALL SELECT ticket_id, organization_id, 'ticket' FROM tickets
        ) AS t USING (id, kind)
        WHERE d.organization_id <> t.organization_id
        """,
    ),
)
