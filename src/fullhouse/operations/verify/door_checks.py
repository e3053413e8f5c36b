"""The door: a unit enters as often as its right allows, and never with a ticket that was void."""

from fullhouse.operations.verify.check import Check

DOOR_CHECKS = (
    Check(
        13,
        "entry_is_recorded_once",
        "An entry of a unit has one line in the log for each direction.",
        """
        SELECT organization_id, unit_id, entry_number, direction, count(*) AS lines FROM admissions
        GROUP BY organization_id, unit_id, entry_number, direction HAVING count(*) > 1
        """,
    ),
    Check(
        13,
        "unit_enters_after_it_left",
        "A unit enters again only after it left or its entry was undone, and leaves only after it entered.",
        """
        WITH entries AS (
            SELECT organization_id, unit_id, entry_number, array_agg(direction ORDER BY direction) AS directions,
                   min(recorded_at) FILTER (WHERE direction = 'in') AS entered_at,
                   max(recorded_at) FILTER (WHERE direction <> 'in') AS ended_at
            FROM admissions GROUP BY organization_id, unit_id, entry_number
        )
        SELECT e.organization_id, e.unit_id, e.entry_number, e.directions, e.entered_at, before.ended_at
        FROM entries e
        LEFT JOIN entries before ON before.organization_id = e.organization_id AND before.unit_id = e.unit_id
            AND before.entry_number = e.entry_number - 1
        WHERE NOT 'in' = ANY (e.directions)
           OR e.ended_at < e.entered_at
           OR (e.entry_number > 1 AND (before.ended_at IS NULL OR before.ended_at > e.entered_at))
        """,
    ),
    Check(
        13,
        "void_ticket_does_not_enter",
        "Nobody enters with a ticket that was void, or replaced, five seconds before.",
        """
        SELECT a.organization_id, a.admission_id, a.ticket_id, a.recorded_at, t.status, t.ended_at
        FROM admissions a JOIN tickets t USING (organization_id, ticket_id)
        WHERE a.direction = 'in' AND t.status <> 'valid' AND t.ended_at < a.recorded_at - interval '5 seconds'
        """,
    ),
    Check(
        13,
        "admission_is_of_its_ticket",
        "A line of the log names a ticket with its own unit and session.",
        """
        SELECT a.organization_id, a.admission_id, a.ticket_id, a.unit_id, t.unit_id AS unit_of_ticket
        FROM admissions a LEFT JOIN tickets t USING (organization_id, ticket_id)
        WHERE (t.unit_id, t.session_id) IS DISTINCT FROM (a.unit_id, a.session_id)
        """,
    ),
)
