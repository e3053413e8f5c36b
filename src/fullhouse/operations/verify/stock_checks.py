"""Stock: every place has one owner, nothing is oversold, nothing is lost, nothing is stuck."""

from fullhouse.operations.verify.check import Check

STOCK_CHECKS = (
    Check(
        1,
        "seat_has_one_unit",
        "A seat of a session has at most one live unit.",
        """
        SELECT organization_id, session_id, seat_index, array_agg(unit_id) AS unit_ids FROM units
        WHERE status = 'live' AND seat_index IS NOT NULL
        GROUP BY organization_id, session_id, seat_index HAVING count(*) > 1
        """,
    ),
    Check(
        1,
        "seat_has_one_claim",
        "A seat of a session is claimed by at most one reservation that is held, or one live unit.",
        """
        SELECT organization_id, session_id, seat_index, array_agg(claim) AS claims
        FROM (
            SELECT organization_id, session_id, unnest(seats) AS seat_index, 'reservation ' || reservation_id AS claim
            FROM reservations WHERE status = 'held'
            UNION ALL
            SELECT organization_id, session_id, seat_index, 'unit ' || unit_id FROM units
            WHERE status = 'live' AND seat_index IS NOT NULL
        ) AS claims
        GROUP BY organization_id, session_id, seat_index HAVING count(*) > 1
        """,
    ),
    Check(
        2,
        "quota_is_not_oversold",
        "Held, sold and blocked places of a quota are not more than its capacity.",
        """
        SELECT organization_id, session_id, quota_id, kind, name, capacity, held, sold, blocked FROM quotas
        WHERE held + sold + blocked > capacity OR least(held, sold, blocked, capacity) < 0
        """,
    ),
    Check(
        5,
        "quota_counts_what_is_claimed",
        "The counters of a quota are the sums of what reservations hold, units have, and allocations block.",
        """
        WITH held AS (
            SELECT organization_id, session_id, d.quota_id, sum(d.count)::bigint AS count
            FROM reservations, unnest(quota_ids, quota_counts) AS d(quota_id, count)
            WHERE status = 'held' GROUP BY 1, 2, 3
        ), sold AS (
            SELECT u.organization_id, u.session_id, d.quota_id, count(*) AS count
            FROM units u LEFT JOIN refunded_units r USING (organization_id, unit_id), unnest(u.quota_ids) AS d(quota_id)
            WHERE u.status = 'live' OR r.stock_returned IS FALSE GROUP BY 1, 2, 3
        ), blocked AS (
            SELECT organization_id, session_id, d.quota_id, sum(d.count)::bigint AS count
            FROM allocations, unnest(quota_ids, quota_counts) AS d(quota_id, count)
            WHERE status = 'blocked' GROUP BY 1, 2, 3
        )
        SELECT organization_id, session_id, quota_id, q.name, q.held, coalesce(held.count, 0) AS held_by_reservations,
               q.sold, coalesce(sold.count, 0) AS sold_to_units,
               q.blocked, coalesce(blocked.count, 0) AS blocked_by_allocations
        FROM quotas q
        FULL JOIN held USING (organization_id, session_id, quota_id)
        FULL JOIN sold USING (organization_id, session_id, quota_id)
        FULL JOIN blocked USING (organization_id, session_id, quota_id)
        WHERE (q.held, q.sold, q.blocked)
              IS DISTINCT FROM (coalesce(held.count, 0), coalesce(sold.count, 0), coalesce(blocked.count, 0))
        """,
    ),
    Check(
        5,
        "seat_state_is_its_owner's",
        "A seat is held, sold or blocked if and only if a reservation, a unit or an allocation has it.",
        """
        WITH owned AS (
            SELECT organization_id, session_id, unnest(seats) AS seat_index, 1 AS state
            FROM reservations WHERE status = 'held'
            UNION ALL
            SELECT u.organization_id, u.session_id, u.seat_index, 2
            FROM units u LEFT JOIN refunded_units r USING (organization_id, unit_id)
            WHERE u.seat_index IS NOT NULL AND (u.status = 'live' OR r.stock_returned IS FALSE)
            UNION ALL
            SELECT organization_id, session_id, unnest(seats), 3 FROM allocations WHERE status = 'blocked'
        )
        SELECT organization_id, session_id, seat_index, s.state, coalesce(owned.state, 0) AS state_by_owner,
               s.reservation_id, s.allocation_id
        FROM seats s FULL JOIN owned USING (organization_id, session_id, seat_index)
        WHERE s.state IS DISTINCT FROM coalesce(owned.state, 0)
        """,
    ),
    Check(
        5,
        "seat_row_for_each_seat",
        "A session has a row for each seat of its map, and no other.",
        """
        SELECT k.organization_id, k.session_id, m.seat_count, count(s.seat_index) AS seat_rows
        FROM stock k
        JOIN seat_maps m USING (organization_id, seat_map_id)
        LEFT JOIN seats s ON s.organization_id = k.organization_id AND s.session_id = k.session_id
            AND s.seat_index < m.seat_count
        GROUP BY k.organization_id, k.session_id, m.seat_count HAVING count(s.seat_index) <> m.seat_count
        """,
    ),
    Check(
        6,
        "hold_ends_in_time",
        "No hold lives a minute past its deadline, unless a payment attempt is still open.",
        """
        SELECT r.organization_id, r.session_id, r.reservation_id, r.expires_at FROM reservations r
        WHERE r.status = 'held' AND r.expires_at < clock_timestamp() - make_interval(secs => 60 * $1::float8)
          AND NOT EXISTS (
            SELECT FROM orders o JOIN payments p USING (organization_id, order_id)
            WHERE o.organization_id = r.organization_id AND o.reservation_id = r.reservation_id
              AND p.status = 'started'
          )
        """,
        graced=True,
    ),
    Check(
        6,
        "allocation_is_released_in_time",
        "No allocation is blocked a minute past its release.",
        """
        SELECT organization_id, session_id, allocation_id, name, release_at FROM allocations
        WHERE status = 'blocked' AND release_at < clock_timestamp() - make_interval(secs => 60 * $1::float8)
        """,
        graced=True,
    ),
    Check(
        12,
        "stock_version_is_noted",
        "The latest version of a session's stock says what it changed, with the counters as they are.",
        """
        SELECT k.organization_id, k.session_id, k.version, latest.version AS noted_version, q.quota_id,
               ARRAY[q.capacity, q.held, q.sold, q.blocked] AS counters, noted.counters AS noted_counters
        FROM stock k
        JOIN LATERAL (
            SELECT max(c.version) AS version FROM stock_changes c
            WHERE c.organization_id = k.organization_id AND c.session_id = k.session_id
        ) AS latest ON latest.version IS NOT NULL
        LEFT JOIN quotas q ON q.organization_id = k.organization_id AND q.session_id = k.session_id
        LEFT JOIN LATERAL (
            SELECT c.quota_counters[4 * n.ordinal - 3 : 4 * n.ordinal] AS counters
            FROM stock_changes c, unnest(c.quota_ids) WITH ORDINALITY AS n(quota_id, ordinal)
            WHERE c.organization_id = k.organization_id AND c.session_id = k.session_id AND n.quota_id = q.quota_id
            ORDER BY c.version DESC LIMIT 1
        ) AS noted ON true
        WHERE k.version <> latest.version OR noted.counters <> ARRAY[q.capacity, q.held, q.sold, q.blocked]
        """,
    ),
    Check(
        15,
        "reservation_keeps_the_limits",
        "No reservation has more places than its session, or its ticket type, allows one order.",
        """
        SELECT r.organization_id, r.session_id, r.reservation_id, i.ticket_type_id, sum(i.quantity) AS quantity,
               t.per_order_max AS ticket_type_max, s.per_order_max AS session_max
        FROM reservations r
        JOIN sessions s USING (organization_id, session_id),
        jsonb_to_recordset(r.items) AS i(ticket_type_id uuid, quantity integer)
        LEFT JOIN ticket_types t ON t.ticket_type_id = i.ticket_type_id
        WHERE r.held_at > s.updated_at AND (t.organization_id IS NULL OR t.organization_id = r.organization_id)
        GROUP BY GROUPING SETS (
            (r.organization_id, r.session_id, r.reservation_id, s.per_order_max),
            (r.organization_id, r.session_id, r.reservation_id, i.ticket_type_id, t.per_order_max)
        )
        HAVING sum(i.quantity) > CASE WHEN GROUPING(i.ticket_type_id) = 1 THEN s.per_order_max ELSE t.per_order_max END
        """,
    ),
)
