"""A lone buyer's statement writes what the statement of a batch writes."""

import asyncio
from typing import Any

from harness.stock import MadeSession, TypePlan, box_office, counters, make_session, wants

from fullhouse.infra.postgres import Pool
from fullhouse.reservations import hold_ahead

_NOT_COMPARED = {
    "reservation_id",
    "session_id",
    "organization_id",
    "token_hash",
}


async def rows(pool: Pool, made: MadeSession) -> list[dict[str, Any]]:
    found = await pool.fetch(
        """
        SELECT *, first_expires_at = expires_at AS keeps_time FROM reservations
        WHERE organization_id = $1 ORDER BY reservation_id
        """,
        made.organization_id,
    )
    return [
        {name: value for name, value in row.items() if name not in _NOT_COMPARED and not name.endswith("_at")}
        for row in found
    ]


async def test_alone_and_together_the_same_is_written(pool: Pool, monkeypatch: Any) -> None:
    alone = list[str]()
    one = hold_ahead.hold_one_at_version

    async def counting(*arguments: Any) -> Any:
        alone.append("alone")
        return await one(*arguments)

    monkeypatch.setattr(hold_ahead, "hold_one_at_version", counting)
    written: list[list[dict[str, Any]]] = []
    for together in (False, True):
        made = await make_session(pool, types={"adult": TypePlan(quotas=("all",))}, quotas={"all": 50})
        office = box_office(pool)
        await office.place_reservation(made.session_id, wants(made, 1), "warm", b"print")
        calls = [office.place_reservation(made.session_id, wants(made, 2), f"key {n}", b"print") for n in range(2)]
        if together:
            await asyncio.gather(*calls)
        else:
            held = [await call for call in calls]
            again = await office.place_reservation(made.session_id, wants(made, 2), "key 0", b"print")
            assert (again.reservation, again.replayed) == (held[0].reservation, True)
        assert await counters(pool, made) == (100, 5, 0, 0)
        assert await counters(pool, made, "all") == (50, 5, 0, 0)
        written.append(await rows(pool, made))
        await office.close()
    assert len(alone) == 3
    kinds = [[str({name: type(value) for name, value in row.items()}) for row in of] for of in written]
    assert kinds[0] == kinds[1]
    shapes = [sorted((row["total_minor"], row["currency"], str(row["quota_counts"])) for row in of) for of in written]
    assert shapes[0] == shapes[1]
    keyed = [sorted((row["idempotency_key"], row["fingerprint"], row["keeps_time"]) for row in of) for of in written]
    assert keyed[0] == keyed[1] == [(key, b"print", True) for key in ("key 0", "key 1", "warm")]
