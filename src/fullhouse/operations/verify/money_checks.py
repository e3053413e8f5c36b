"""Money: it adds up, buys something or goes back, and nobody pays more than was agreed."""

from fullhouse.operations.verify.check import Check

MONEY_CHECKS = (
    Check(
        3,
        "captured_money_is_used",
        "What a buyer paid bought places or is asked back: nothing is left over.",
        """
        SELECT organization_id, order_id, currency, -sum(amount_minor)::bigint AS left_over_minor
        FROM ledger_entries WHERE account = 'buyers'
        GROUP BY organization_id, order_id, currency HAVING sum(amount_minor) <> 0
        """,
    ),
    Check(
        3,
        "provider_and_we_agree",
        "Ten minutes after the simulated provider took money, our books say the same.",
        """
        SELECT c.organization_id, c.reference, c.payment_id, p.order_id, c.amount_minor AS provider_minor,
               coalesce(p.captured_minor, 0) AS our_minor, p.status
        FROM simulated_charges c LEFT JOIN payments p USING (organization_id, payment_id)
        WHERE coalesce(p.captured_minor, 0) <> CASE WHEN c.status = 'captured' THEN c.amount_minor ELSE 0 END
          AND coalesce(c.notify_at, c.created_at) < clock_timestamp() - make_interval(secs => 600 * $1::float8)
        """,
        graced=True,
    ),
    Check(
        3,
        "provider_gave_back_what_we_say",
        "A refund that we call succeeded is in the simulated provider's books, with its amount.",
        """
        SELECT r.organization_id, r.refund_id, r.order_id, r.amount_minor, s.amount_minor AS provider_minor
        FROM refunds r JOIN payments p USING (organization_id, payment_id)
        LEFT JOIN simulated_refunds s
            ON s.organization_id = r.organization_id AND s.provider_key = r.provider_key
        WHERE p.provider = 'simulated' AND r.status = 'succeeded' AND r.otherwise_reference IS NULL
          AND s.amount_minor IS DISTINCT FROM r.amount_minor
          AND NOT EXISTS (SELECT FROM disputes d WHERE d.organization_id = r.organization_id
                          AND d.payment_id = r.payment_id AND d.provider_reference = r.provider_reference)
        """,
    ),
    Check(
        3,
        "money_case_is_closed",
        "Nothing waits for a person where a provider's books and ours differ, or a refund has failed.",
        """
        SELECT organization_id, case_id, kind, provider, subject, order_id, payment_id, detail, opened_at
        FROM money_cases WHERE closed_at IS NULL
        """,
    ),
    Check(
        3,
        "day_is_compared_in_time",
        "A day is compared with a provider's books within a day of its end.",
        """
        SELECT organization_id, provider, day, last_error FROM reconciliations
        WHERE compared_at IS NULL
          AND day + interval '1 day' < (clock_timestamp() AT TIME ZONE 'UTC')
              - make_interval(secs => 86400 * $1::float8)
        """,
        graced=True,
    ),
    Check(
        3,
        "refund_is_done_in_time",
        "A refund is done, or has become a case, within three days of its request.",
        """
        SELECT organization_id, refund_id, order_id, payment_id, amount_minor, currency, attempts, last_error
        FROM refunds WHERE status = 'requested'
          AND requested_at < clock_timestamp() - make_interval(secs => 259200 * $1::float8)
        """,
        graced=True,
    ),
    Check(
        3,
        "refunded_unit_is_not_live",
        "No unit is both refunded and live, and no ticket of a cancelled unit is valid.",
        """
        SELECT u.organization_id, u.order_id, u.unit_id, u.status AS unit_status, t.ticket_id, t.status AS ticket_status
        FROM units u
        LEFT JOIN refunded_units r USING (organization_id, unit_id)
        LEFT JOIN tickets t ON t.organization_id = u.organization_id AND t.unit_id = u.unit_id AND t.status = 'valid'
        WHERE (r.unit_id IS NOT NULL AND u.status = 'live') OR (u.status = 'cancelled' AND t.ticket_id IS NOT NULL)
        """,
    ),
    Check(
        7,
        "ledger_entry_sums_to_zero",
        "Every entry of the ledger sums to zero in its currency.",
        """
        SELECT organization_id, entry_id, currency, sum(amount_minor)::bigint AS sum_minor
        FROM ledger_entries GROUP BY organization_id, entry_id, currency HAVING sum(amount_minor) <> 0
        """,
    ),
    Check(
        7,
        "ledger_has_each_payment",
        "What the ledger says a provider took and gave back for a payment is what the payment and its refunds say.",
        """
        WITH entered AS (
            SELECT organization_id, payment_id, sum(amount_minor) FILTER (WHERE refund_id IS NULL) AS taken,
                   sum(CASE WHEN account = 'refunds' THEN amount_minor ELSE -amount_minor END)
                       FILTER (WHERE refund_id IS NOT NULL) AS given
            FROM ledger_entries
            WHERE (account LIKE 'provider:%' AND dispute_id IS NULL)
               OR (account = 'refunds' AND dispute_id IS NOT NULL)
            GROUP BY organization_id, payment_id
        ), refunded AS (
            SELECT organization_id, payment_id, sum(amount_minor) AS given
            FROM refunds WHERE status = 'succeeded' AND otherwise_reference IS NULL GROUP BY organization_id, payment_id
        )
        SELECT organization_id, payment_id, p.order_id, p.captured_minor, coalesce(e.taken, 0)::bigint AS ledger_minor,
               coalesce(r.given, 0)::bigint AS refunded_minor, coalesce(e.given, 0)::bigint AS ledger_refunded_minor
        FROM payments p
        FULL JOIN entered e USING (organization_id, payment_id)
        LEFT JOIN refunded r USING (organization_id, payment_id)
        WHERE coalesce(p.captured_minor, 0) <> coalesce(e.taken, 0) OR coalesce(r.given, 0) <> coalesce(e.given, 0)
        """,
    ),
    Check(
        7,
        "ledger_has_each_sale",
        "What the ledger says was sold with an order is its total, if it ever had places, and else nothing.",
        """
        WITH sold AS (
            SELECT organization_id, order_id, -sum(amount_minor)::bigint AS sold_minor
            FROM ledger_entries
            WHERE payment_id IS NULL AND refund_id IS NULL AND account NOT IN ('buyers', 'refunds')
            GROUP BY organization_id, order_id
        )
        SELECT organization_id, order_id, o.status, o.total_minor, coalesce(s.sold_minor, 0) AS ledger_minor
        FROM orders o LEFT JOIN sold s USING (organization_id, order_id)
        WHERE coalesce(s.sold_minor, 0) <> CASE WHEN EXISTS (
            SELECT FROM units u WHERE u.organization_id = o.organization_id AND u.order_id = o.order_id)
            THEN o.total_minor ELSE 0 END
        """,
    ),
    Check(
        7,
        "units_sum_to_their_order",
        "What was paid for the units of an order, with fees and taxes, is the order's total.",
        """
        SELECT organization_id, order_id, o.total_minor, units.paid_minor
        FROM orders o JOIN (
            SELECT organization_id, order_id,
                   sum(price_minor - discount_minor + fee_minor + tax_added_minor)::bigint AS paid_minor
            FROM units GROUP BY organization_id, order_id
        ) AS units USING (organization_id, order_id)
        WHERE o.total_minor <> units.paid_minor
        """,
    ),
    Check(
        7,
        "ledger_has_each_refund",
        "What the ledger says is still to be given back is what the refunds say that are not done.",
        """
        WITH owed AS (
            SELECT organization_id, refund_id, -sum(amount_minor)::bigint AS owed_minor
            FROM ledger_entries WHERE account = 'refunds' GROUP BY organization_id, refund_id
        )
        SELECT organization_id, refund_id, r.order_id, r.status, r.amount_minor, o.owed_minor AS ledger_minor
        FROM refunds r FULL JOIN owed o USING (organization_id, refund_id)
        WHERE coalesce(o.owed_minor, 0) <> CASE WHEN r.status IN ('requested', 'failed') THEN r.amount_minor ELSE 0 END
        """,
    ),
    Check(
        7,
        "sale_is_entered_as_it_was_charged",
        "Discounts, fees and taxes of a sale are in the ledger as its units have them.",
        """
        WITH charged AS (
            SELECT organization_id, order_id, sum(discount_minor)::bigint AS discounts,
                   sum(absorbed_minor)::bigint AS absorbed, -sum(tax_minor)::bigint AS taxes,
                   -sum(fee_minor + absorbed_minor
                        - CASE WHEN tax_added_minor = 0 THEN tax_of_fees_minor ELSE 0 END)::bigint AS fees
            FROM units GROUP BY organization_id, order_id
        ), entered AS (
            SELECT organization_id, order_id,
                   coalesce(sum(amount_minor) FILTER (WHERE account = 'discounts'), 0)::bigint AS discounts,
                   coalesce(sum(amount_minor) FILTER (WHERE account = 'absorbed_fees'), 0)::bigint AS absorbed,
                   coalesce(sum(amount_minor) FILTER (WHERE account = 'taxes'), 0)::bigint AS taxes,
                   coalesce(sum(amount_minor) FILTER (WHERE account = 'fees'), 0)::bigint AS fees
            FROM ledger_entries WHERE payment_id IS NULL AND refund_id IS NULL GROUP BY organization_id, order_id
        )
        SELECT organization_id, order_id, c.discounts, e.discounts AS ledger_discounts, c.fees, e.fees AS ledger_fees,
               c.absorbed, e.absorbed AS ledger_absorbed, c.taxes, e.taxes AS ledger_taxes
        FROM charged c JOIN entered e USING (organization_id, order_id)
        WHERE (c.discounts, c.fees, c.absorbed, c.taxes) IS DISTINCT FROM (e.discounts, e.fees, e.absorbed, e.taxes)
        """,
    ),
    Check(
        7,
        "receipt_numbers_have_no_gap",
        "The receipts and credit notes of an organization and year are numbered from 1 without a gap.",
        """
        SELECT organization_id, year, count(*) AS receipt_count, min(number) AS first, max(number) AS last
        FROM receipts GROUP BY organization_id, year HAVING min(number) <> 1 OR max(number) <> count(*)
        """,
    ),
    Check(
        7,
        "paid_order_has_its_receipt",
        "Ten minutes after it was paid an order has a receipt for its total.",
        """
        SELECT o.organization_id, o.order_id, o.total_minor, r.amount_minor AS receipt_minor
        FROM orders o LEFT JOIN receipts r
            ON r.organization_id = o.organization_id AND r.order_id = o.order_id AND r.refund_id IS NULL
        WHERE o.paid_at < clock_timestamp() - make_interval(secs => 600 * $1::float8) AND o.total_minor > 0
          AND r.amount_minor IS DISTINCT FROM o.total_minor
          AND EXISTS (SELECT FROM units u WHERE u.organization_id = o.organization_id AND u.order_id = o.order_id)
        """,
        graced=True,
    ),
    Check(
        7,
        "refunds_are_not_more_than_captured",
        "The refunds of a payment, those that failed aside, are not more than it captured.",
        """
        SELECT organization_id, payment_id, p.order_id, p.captured_minor, sum(r.amount_minor)::bigint AS refunds_minor
        FROM payments p JOIN refunds r USING (organization_id, payment_id)
        WHERE r.status <> 'failed'
        GROUP BY organization_id, payment_id, p.order_id, p.captured_minor HAVING sum(r.amount_minor) > p.captured_minor
        """,
    ),
    Check(
        7,
        "ledger_has_each_dispute",
        "What the ledger says stands in a dispute is what the dispute says; one that has ended leaves nothing there.",
        """
        WITH entered AS (
            SELECT organization_id, dispute_id, sum(amount_minor) FILTER (WHERE account = 'disputes') AS standing,
                   sum(amount_minor) FILTER (WHERE account <> 'disputes' AND account NOT LIKE 'provider:%') AS lost
            FROM ledger_entries WHERE dispute_id IS NOT NULL GROUP BY organization_id, dispute_id
        )
        SELECT organization_id, dispute_id, d.order_id, d.status, d.withdrawn_minor,
               coalesce(e.standing, 0)::bigint AS standing_minor, coalesce(e.lost, 0)::bigint AS lost_minor
        FROM disputes d FULL JOIN entered e USING (organization_id, dispute_id)
        WHERE coalesce(e.standing, 0) <> CASE WHEN d.status = 'opened' THEN d.withdrawn_minor ELSE 0 END
           OR coalesce(e.lost, 0) <> CASE WHEN d.status = 'lost' THEN d.withdrawn_minor ELSE 0 END
        """,
    ),
    Check(
        8,
        "money_beyond_the_total_goes_back",
        "What we keep of an order is not more than its total; of one that bought nothing, nothing.",
        """
        SELECT organization_id, order_id, o.status, o.total_minor, money.captured_minor, money.refunds_minor
        FROM orders o JOIN (
            SELECT organization_id, order_id, sum(captured_minor)::bigint AS captured_minor,
                   sum((SELECT coalesce(sum(r.amount_minor), 0) FROM refunds r
                        WHERE r.organization_id = p.organization_id AND r.payment_id = p.payment_id))::bigint
                       AS refunds_minor
            FROM payments p GROUP BY organization_id, order_id
        ) AS money USING (organization_id, order_id)
        WHERE money.captured_minor - money.refunds_minor
              > CASE WHEN EXISTS (SELECT FROM units u WHERE u.organization_id = o.organization_id
                                AND u.order_id = o.order_id) THEN o.total_minor ELSE 0 END
        """,
    ),
    Check(
        16,
        "order_costs_what_was_agreed",
        "An order's total is the sum of its lines, and each unit costs what its line says.",
        """
        SELECT o.organization_id, o.order_id, o.total_minor, lines.sum_minor, lines.odd_units
        FROM orders o JOIN LATERAL (
            SELECT coalesce(sum(l.quantity * l.price_minor), 0)::bigint AS sum_minor,
                   sum((SELECT count(*) FROM units u
                        WHERE u.organization_id = l.organization_id AND u.order_id = l.order_id
                          AND u.line_number = l.line_number AND u.price_minor <> l.price_minor))::bigint AS odd_units
            FROM order_lines l WHERE l.organization_id = o.organization_id AND l.order_id = o.order_id
        ) AS lines ON true
        WHERE o.total_minor <> lines.sum_minor OR lines.odd_units > 0
        """,
    ),
)
