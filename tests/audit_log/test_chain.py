"""The linker: whatever is committed gets the next number, whoever comes late a later one, and nobody waits."""

import hashlib
from asyncio import gather, timeout
from typing import Any
from uuid import UUID, uuid4

import pytest

from fullhouse.core.actor import OPERATOR
from fullhouse.infra.audit_chain import BATCH_COUNT, Head, link_audit_log, link_chain
from fullhouse.infra.audit_log import Act, acting_as, record
from fullhouse.infra.postgres import EVERY_ORGANIZATION, transaction
from fullhouse.operations.verify import verify


@pytest.fixture
def organization_id() -> UUID:
    return uuid4()


async def write(pool: Any, organization_id: UUID, count: int = 1) -> None:
    with acting_as(OPERATOR):
        async with transaction(pool, EVERY_ORGANIZATION) as conn:
            for _ in range(count):
                await record(conn, organization_id, Act("event.update", "event", uuid4()))


async def chain_of(pool: Any, organization_id: UUID) -> list[tuple[int, int]]:
    rows = await pool.fetch(
        "SELECT number, position FROM audit_links WHERE organization_id = $1 ORDER BY number", organization_id
    )
    return [(row["number"], row["position"]) for row in rows]


async def findings(pool: Any) -> list[str]:
    return [finding.check for finding in await verify(pool)]


async def test_late_commit_gets_a_later_number_and_keeps_nobody_waiting(fresh_pool: Any, organization_id: UUID) -> None:
    with acting_as(OPERATOR):
        async with timeout(10), transaction(fresh_pool, EVERY_ORGANIZATION) as slow:
            await record(slow, organization_id, Act("event.create", "event", uuid4()))
            await write(fresh_pool, organization_id, 2)
            assert await link_audit_log(fresh_pool) == 2
            early = await chain_of(fresh_pool, organization_id)
    assert await link_audit_log(fresh_pool) == 1
    late = await chain_of(fresh_pool, organization_id)
    assert late[:2] == early
    assert [number for number, _ in late] == [1, 2, 3]
    assert late[2][1] < late[0][1], "its position was given out before those of the others"
    assert await findings(fresh_pool) == []


async def test_two_linkers_at_once_make_one_chain(fresh_pool: Any, organization_id: UUID) -> None:
    others = [uuid4() for _ in range(3)]
    for one in (organization_id, *others):
        await write(fresh_pool, one, 20)
    counts = await gather(*(link_audit_log(fresh_pool) for _ in range(4)))
    assert sum(counts) == 80
    assert [number for number, _ in await chain_of(fresh_pool, organization_id)] == list(range(1, 21))
    assert await fresh_pool.fetchval("SELECT count(*) FROM audit_arrivals") == 0
    assert await link_audit_log(fresh_pool) == 0
    assert await findings(fresh_pool) == []


async def test_backlog_is_linked_in_batches_and_a_chain_goes_on(fresh_pool: Any, organization_id: UUID) -> None:
    await write(fresh_pool, organization_id, BATCH_COUNT + 5)
    assert await link_audit_log(fresh_pool) == BATCH_COUNT + 5
    await write(fresh_pool, organization_id)
    assert await link_audit_log(fresh_pool) == 1
    assert len(await chain_of(fresh_pool, organization_id)) == BATCH_COUNT + 6
    assert await findings(fresh_pool) == []


def test_a_hash_holds_the_one_before_the_number_and_the_entry() -> None:
    digests = [hashlib.sha256(bytes([number])).digest() for number in range(2)]
    first, second = link_chain(Head(6, b"\x07" * 32), [{"digest": digest} for digest in digests])
    assert first == Head(7, hashlib.sha256(b"\x07" * 32 + (7).to_bytes(8, "big") + digests[0]).digest())
    assert second == Head(8, hashlib.sha256(first.hash + (8).to_bytes(8, "big") + digests[1]).digest())
