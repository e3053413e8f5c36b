"""The audit log: whole, and as it was written."""

from fullhouse.operations.verify.check import Check

AUDIT_CHECKS = (
    Check(
        18,
        "audit_entry_is_linked",
        "An entry of the audit log has its place in the chain after a minute.",
        """
        SELECT e.organization_id, e.position, e.action, e.occurred_at
        FROM audit_entries e LEFT JOIN audit_links l USING (organization_id, position)
        WHERE l.number IS NULL AND e.occurred_at < clock_timestamp() - interval '60 seconds'
        """,
    ),
    Check(
        18,
        "audit_chain_is_whole",
        "Each link of the audit log follows the one before, and its hash is that of its entry.",
        """
        WITH chain AS (
            SELECT l.organization_id, l.number, l.position, l.hash,
                   lag(l.number, 1, 0::bigint) OVER before AS number_before,
                   lag(l.hash, 1, decode(repeat('00', 32), 'hex')) OVER before AS hash_before
            FROM audit_links l WINDOW before AS (PARTITION BY l.organization_id ORDER BY l.number)
        )
        SELECT c.organization_id, c.number, c.position,
               CASE WHEN c.number <> c.number_before + 1 THEN 'links before it are missing'
                    WHEN e.position IS NULL THEN 'its entry is missing'
                    ELSE 'its hash is not that of its entry and the link before' END AS what
        FROM chain c LEFT JOIN audit_entries e USING (organization_id, position)
        WHERE c.number <> c.number_before + 1 OR e.position IS NULL
           OR c.hash <> sha256(c.hash_before || int8send(c.number) || audit_digest(e))
        """,
    ),
    Check(
        18,
        "audit_chain_ends_at_its_head",
        "The last link of each chain is the one that its head names.",
        """
        SELECT coalesce(h.organization_id, l.organization_id) AS organization_id, h.number AS head, l.number AS last
        FROM audit_heads h FULL JOIN (
            SELECT DISTINCT ON (organization_id) organization_id, number, hash FROM audit_links
            ORDER BY organization_id, number DESC
        ) AS l USING (organization_id)
        WHERE (h.number, h.hash) IS DISTINCT FROM (l.number, l.hash) AND (h.number > 0 OR l.number > 0)
        """,
    ),
    Check(
        18,
        "audit_origin_is_unchanged",
        "What stands of where an entry came from is what was written with it.",
        """
        SELECT o.organization_id, o.position, e.action
        FROM audit_origins o LEFT JOIN audit_entries e USING (organization_id, position)
        WHERE e.origin_digest IS DISTINCT FROM
              sha256(o.salt || convert_to(o.address || chr(31) || o.user_agent, 'UTF8'))
        """,
    ),
)
