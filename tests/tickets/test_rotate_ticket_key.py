"""Keys of tickets: one signs, those before it go on verifying, and nothing secret is stored."""

import asyncio

from harness.sold import Sell
from harness.stock import SERVER_KEY

from fullhouse.infra.postgres import Pool, transaction
from fullhouse.tickets.code import code_of, derive_signing_key, read_code, verify_code
from fullhouse.tickets.queries import load_ticket_key
from fullhouse.tickets.rotate_ticket_key import rotate_ticket_key, use_ticket_key
from fullhouse.tickets.rules import Ticket


async def verified(pool: Pool, server_key: bytes, ticket: Ticket) -> bool:
    read = read_code(code_of(server_key, ticket))
    async with transaction(pool, ticket.organization_id) as conn:
        key = await load_ticket_key(conn, ticket.organization_id, read.key_id)
    assert key is not None
    return verify_code(read, key.public_key).ticket_id == ticket.ticket_id


async def test_old_tickets_are_verified_after_a_rotation(pool: Pool, sell: Sell) -> None:
    sold = await sell(2, capacity=10)
    old = await sold.issue()
    async with transaction(pool, sold.organization_id) as conn:
        rotated = await rotate_ticket_key(conn, SERVER_KEY, sold.organization_id)
        assert (rotated.key_id, rotated.retired) == (2, False)
        before = await load_ticket_key(conn, sold.organization_id, 1)
        assert before is not None
        assert before.retired
        assert before.public_key != rotated.public_key
        assert await use_ticket_key(conn, SERVER_KEY, sold.organization_id) == rotated
    assert [await verified(pool, SERVER_KEY, ticket) for ticket in old] == [True, True]


async def test_a_changed_server_key_makes_a_new_key_for_new_tickets(pool: Pool, sell: Sell) -> None:
    sold = await sell(1)
    async with transaction(pool, sold.organization_id) as conn:
        assert (await use_ticket_key(conn, b"the server key of last year, 32 b", sold.organization_id)).key_id == 1
    [ticket] = await sold.issue()
    assert ticket.key_id == 2
    assert await verified(pool, SERVER_KEY, ticket)


async def test_ten_first_uses_at_once_make_one_key(pool: Pool, sell: Sell) -> None:
    sold = await sell(1)
    barrier = asyncio.Barrier(10)

    async def use() -> int:
        await barrier.wait()
        async with transaction(pool, sold.organization_id) as conn:
            return (await use_ticket_key(conn, SERVER_KEY, sold.organization_id)).key_id

    assert await asyncio.gather(*(use() for _ in range(10))) == [1] * 10


async def test_ten_rotations_at_once_make_ten_keys_and_one_signs(pool: Pool, sell: Sell) -> None:
    sold = await sell(1)

    async def rotate() -> int:
        async with transaction(pool, sold.organization_id) as conn:
            return (await rotate_ticket_key(conn, SERVER_KEY, sold.organization_id)).key_id

    assert sorted(await asyncio.gather(*(rotate() for _ in range(10)))) == list(range(1, 11))
    signing = await pool.fetch(
        "SELECT key_id FROM ticket_keys WHERE organization_id = $1 AND retired_at IS NULL", sold.organization_id
    )
    assert [row["key_id"] for row in signing] == [10]


async def test_only_public_keys_are_stored(pool: Pool, sell: Sell) -> None:
    sold = await sell(1)
    await sold.issue()
    row = await pool.fetchrow("SELECT * FROM ticket_keys WHERE organization_id = $1", sold.organization_id)
    assert row is not None
    private = derive_signing_key(SERVER_KEY, sold.organization_id, 1)
    assert row["public_key"] == private.public_key().public_bytes_raw()
    assert private.private_bytes_raw() not in [value for value in row.values() if isinstance(value, bytes)]
