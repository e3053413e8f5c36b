"""The chain of the audit log: each entry is given a number and a hash that contains the hash before.

It is linked after commit, so that those who write entries wait for nobody. Whatever is found committed comes next,
whatever its position: a number is an order, a position is not.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from fullhouse.infra.postgres import EVERY_ORGANIZATION, Connection, Pool, Record, connection, transaction
from fullhouse.infra.telemetry import get_log

BATCH_COUNT = 1_000
ORGANIZATIONS_MAX = 1_000
"""One run goes through at most so many organizations; the next goes on."""

_log = get_log("fullhouse.audit_log")


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends."""

    number: int
    hash: bytes


async def link_audit_log(pool: Pool) -> int:
    """Link what waits, a transaction for each organization and batch. Returns how many entries.

    The end of each chain is logged: a log that is kept elsewhere shows whether it was put together anew.
    """
    count = 0
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        rows = await conn.fetch("SELECT DISTINCT organization_id FROM audit_arrivals LIMIT $1", ORGANIZATIONS_MAX)
    for row in rows:
        linked = BATCH_COUNT
        while linked == BATCH_COUNT:
            async with transaction(pool, row["organization_id"]) as conn:
                linked, head = await _link_batch(conn, row["organization_id"])
            if linked:
                _log.info(
                    "audit_log_linked",
                    organization_id=str(row["organization_id"]),
                    number=head.number,
                    hash=head.hash.hex(),
                )
            count += linked
    return count


async def _link_batch(conn: Connection, organization_id: UUID) -> tuple[int, Head]:
    head = await _lock_head(conn, organization_id)
    rows = await conn.fetch(
        """
        SELECT e.position, audit_digest(e) AS digest
        FROM audit_arrivals u JOIN audit_entries e USING (organization_id, position)
        WHERE u.organization_id = $1 ORDER BY e.position LIMIT $2
        """,
        organization_id,
        BATCH_COUNT,
    )
    chain = link_chain(head, rows)
    if chain:
        head = chain[-1]
        await conn.execute(
            """
            WITH linked AS (
                INSERT INTO audit_links (organization_id, number, position, hash)
                SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bytea[])
            ), done AS (
                DELETE FROM audit_arrivals WHERE organization_id = $1 AND position = ANY ($3)
            )
            UPDATE audit_heads SET number = $5, hash = $6 WHERE organization_id = $1
            """,
            organization_id,
            [link.number for link in chain],
            [row["position"] for row in rows],
            [link.hash for link in chain],
            head.number,
            head.hash,
        )
    return len(chain), head


async def _lock_head(conn: Connection, organization_id: UUID) -> Head:
    await conn.execute("INSERT INTO audit_heads (organization_id) VALUES ($1) ON CONFLICT DO NOTHING", organization_id)
    row = await conn.fetchrow(
        "SELECT number, hash FROM audit_heads WHERE organization_id = $1 FOR UPDATE", organization_id
    )
    assert row is not None  # noqa: S101 (it was inserted in this transaction, or was there)
    return Head(row["number"], row["hash"])


def link_chain(head: Head, rows: Sequence[Record]) -> list[Head]:
    """Go on from the end of a chain, over the digests of entries. Pure."""
    links: list[Head] = []
    for row in rows:
        number = head.number + 1
        head = Head(number, hashlib.sha256(head.hash + number.to_bytes(8, "big") + row["digest"]).digest())
        links.append(head)
    return links
