"""Many who show one API key at one moment: one look for all, and none of what was forgotten meanwhile."""

import asyncio
from typing import Any

import pytest
from harness.stock import make_session

from fullhouse.infra.postgres import Pool, transaction
from fullhouse.infra.system import make_id, now, randomness
from fullhouse.organizations import find_api_key as module
from fullhouse.organizations.find_api_key import ApiKeys
from fullhouse.organizations.issue_api_key import issue_api_key
from fullhouse.organizations.rules import NewApiKey, Role


class Looks:
    """Counts the looks, which wait until they may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.begun = asyncio.Semaphore(0)
        self.may_end = asyncio.Event()
        load = module.load_live_key

        async def looking(*asked: Any) -> Any:
            self.count += 1
            found = await load(*asked)
            self.begun.release()
            await self.may_end.wait()
            return found

        monkeypatch.setattr(module, "load_live_key", looking)


async def key_text(pool: Pool) -> str:
    made = await make_session(pool)
    async with transaction(pool, made.organization_id) as conn:
        new = NewApiKey(name="door", role=Role.SCANNER)
        return (await issue_api_key(conn, make_id, randomness, made.organization_id, new))[1]


async def test_fifty_at_one_moment_cost_one_look(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, text, looks = ApiKeys(pool, now), await key_text(pool), Looks(monkeypatch)
    assert keys.peek(text) is None
    asking = [asyncio.create_task(keys.find_api_key(text)) for _ in range(50)]
    await looks.begun.acquire()
    asking[0].cancel()
    looks.may_end.set()
    found = await asyncio.gather(*asking[1:])
    assert looks.count == 1
    assert {one.api_key_id for one in found if one is not None} == {found[0].api_key_id if found[0] else None}
    assert keys.peek(text) == found[0]


async def test_what_was_read_before_a_key_was_forgotten_is_not_believed_after(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, text, looks = ApiKeys(pool, now), await key_text(pool), Looks(monkeypatch)
    early = asyncio.create_task(keys.find_api_key(text))
    await looks.begun.acquire()
    keys.forget(make_id())
    late = asyncio.create_task(keys.find_api_key(text))
    await looks.begun.acquire()
    looks.may_end.set()
    assert await early == await late
    assert looks.count == 2
    keys.forget((await late).api_key_id)  # pyright: ignore[reportOptionalMemberAccess] (it was found)
    assert keys.peek(text) is None
