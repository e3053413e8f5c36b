"""A lone buyer's statement writes what the statement of a batch writes."""

import asyncio
from typing import Any

from harness.stock import MadeSession, TypePlan, box_office, counters, make_session, wants

from fullhouse.infra.postgres import Pool
from fullhouse.reservations import hold_batch
from fullhouse.reservations.desk import UNDISTURBED_BATCHES

_NOT_COMPARED = {
    "reservation_id",
    "session_id",
    "organization_id",
    "token_hash",
    "key",
    "message_id",
    "position",
    "scope",
}


async def rows(pool: Pool, made: MadeSession, table: str) -> list[dict[str, Any]]:
    found = await pool.fetch(f"SELECT * FROM {table} WHERE organization_id = $1 ORDER BY 2, 3", made.organization_id)
    return [
        {name: value for name, value in row.items() if name not in _NOT_COMPARED and not name.endswith("_at")}
        for row in found
    ]


async def test_alone_and_together_the_same_is_written(pool: Pool, monkeypatch: Any) -> None:
    alone = list[str]()
    one = hold_batch.hold_one_at_version

    async def counting(*arguments: Any) -> Any:
        alone.append("alone")
        return await one(*arguments)

    monkeypatch.setattr(hold_batch, "hold_one_at_version", counting)
    written: list[dict[str, Any]] = []
    for together in (False, True):
        made = await make_session(pool, types={"adult": TypePlan(quotas=("all",))}, quotas={"all": 50})
        office = box_office(pool)
        for number in range(UNDISTURBED_BATCHES + 1):
            await office.place_reservation(made.session_id, wants(made, 1), f"warm {number}", b"print")
        calls = [office.place_reservation(made.session_id, wants(made, 2), f"key {n}", b"print") for n in range(2)]
        if together:
            await asyncio.gather(*calls)
        else:
            held = [await call for call in calls]
            again = await office.place_reservation(made.session_id, wants(made, 2), "key 0", b"print")
            assert (again.reservation, again.replayed) == (held[0].reservation, True)
        assert await counters(pool, made) == (100, 8, 0, 0)
        assert await counters(pool, made, "all") == (50, 8, 0, 0)
        tables = ("reservations", "idempotency_keys")
        written.append({table: await rows(pool, made, table) for table in tables})
        for row in written[-1]["idempotency_keys"]:
            row["answer"] = sorted(row["answer"])
        await office.close()
    assert len(alone) == 3
    for table in ("reservations", "idempotency_keys"):
        kinds = [[str({name: type(value) for name, value in row.items()}) for row in of[table]] for of in written]
        assert kinds[0] == kinds[1]
    shapes = [
        sorted((row["total_minor"], row["currency"], str(row["quota_counts"])) for row in of["reservations"])
        for of in written
    ]
    assert shapes[0] == shapes[1]
    answers = [[row["answer"] for row in of["idempotency_keys"]] for of in written]
    assert answers[0] == answers[1] == [["expires_at", "reservation_id"]] * (UNDISTURBED_BATCHES + 3)
