"""Scans that are answered at a glance: the same answers and records as the long way."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from harness.both_ways import Wires, both_ways, request, without_left
from harness.web import make_resources, running_app

from fullhouse.infra.postgres import transaction
from fullhouse.infra.system import make_id, randomness
from fullhouse.organizations.issue_api_key import issue_api_key
from fullhouse.organizations.rules import NewApiKey, Role

LINE = "POST /api/v1/tickets/validate"


@pytest.fixture(scope="module")
async def wires(pool: Any, valkey: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wires]:
    folder: Path = tmp_path_factory.mktemp("glance")
    await valkey.flushdb()
    async with running_app(make_resources(pool, valkey, folder), rate_limits=True) as app, both_ways(app) as opened:
        yield opened


async def warmed(door: Any, wires: Wires, role: Role = Role.SCANNER, **bound: Any) -> dict[str, str]:
    """Make a key that the process knows, as it does the key of the codes."""
    async with transaction(door.pool, door.organization_id) as conn:
        new = NewApiKey(name="door", role=role, **bound)
        _, text = await issue_api_key(conn, make_id, randomness, door.organization_id, new)
    fields = {"authorization": f"Bearer {text}", "user_agent": "scanner 7"}
    await wires.ask(scan({"code": door.codes[0], "direction": "out"}, fields))
    assert not wires.noting.answered[-1]
    return fields


def scan(body: Any, fields: dict[str, str]) -> bytes:
    return request(LINE, json.dumps(body).encode(), **fields)


async def test_every_scan_is_answered_and_recorded_alike(door: Any, wires: Wires) -> None:
    scanner = await warmed(door, wires)
    first, second = door.codes
    for body in (
        {"code": first, "gate": "North", "device": "7", "scan_id": "one"},
        {"code": first, "gate": "North", "scan_id": "one"},
        {"code": first + "\r\n"},
        {"code": second, "direction": "out"},
        {"code": "no code"},
        {"code": second, "scan_id": "one"},
    ):
        quick, slow = await wires.both(scan(body, {**scanner, "x_request_id": "a-scan"}))
        assert wires.noting.answered[-1]
        assert quick[0] == slow[0] == (422 if body == {"code": second, "scan_id": "one"} else 200)
        assert without_left(quick[1]) == without_left(slow[1])
        if body != {"code": first, "gate": "North", "scan_id": "one"}:
            assert json.loads(quick[2]).keys() == json.loads(slow[2]).keys()
        if "scan_id" in body or body["code"] != first:
            assert quick[2] == slow[2]
    assert await door.log() == [(1, "in")]
    rows = await door.pool.fetch(
        """
        SELECT e.request_id, o.address, o.user_agent, count(*) AS times FROM audit_entries e
        JOIN audit_origins o USING (organization_id, position)
        WHERE e.organization_id = $1 AND e.request_id = 'a-scan' GROUP BY 1, 2, 3
        """,
        door.organization_id,
    )
    assert [tuple(row) for row in rows] == [("a-scan", "127.0.0.1", "scanner 7", 7)]


async def test_what_is_unusual_or_wrong_goes_the_long_way(door: Any, wires: Wires) -> None:
    scanner = await warmed(door, wires)
    before = sum(wires.noting.answered)
    plain = {"code": door.codes[0], "direction": "out"}
    for asked in (
        scan(plain, {}),
        scan(plain, {"authorization": "Bearer nobody"}),
        scan(plain, {"authorization": "Order " + "x" * 22}),
        scan(plain, {**scanner, "content_type": "application/json; charset=utf-8"}),
        scan({"code": ""}, scanner),
        scan({"code": door.codes[0], "unknown": 1}, scanner),
        request(LINE, b"{", **scanner),
    ):
        quick, slow = await wires.both(asked)
        assert quick[0] == slow[0]
        assert without_left(quick[1]).keys() == without_left(slow[1]).keys()
    assert sum(wires.noting.answered) == before
    assert await door.log() == []


async def test_a_key_admits_nowhere_but_where_it_may(door: Any, wires: Wires) -> None:
    bound = await warmed(door, wires, gates=("North",))
    for wrong in ({"gate": "South"}, {"session_id": str(door.order_id)}):
        quick, slow = await wires.both(scan({"code": door.codes[0], **wrong}, {**bound, "x_request_id": "outside"}))
        assert wires.noting.answered[-1]
        assert (quick[0], without_left(quick[1]), quick[2]) == (slow[0], without_left(slow[1]), slow[2])
    assert await door.log() == []
    async with transaction(door.pool, door.organization_id) as conn:
        _, text = await issue_api_key(
            conn, make_id, randomness, door.organization_id, NewApiKey("all", Role.MANAGER, scopes=("report:read",))
        )
    fields = {"authorization": f"Bearer {text}", "x_request_id": "no-right"}
    await wires.ask(scan({"code": door.codes[0]}, fields))
    quick, slow = await wires.both(scan({"code": door.codes[0]}, fields))
    assert wires.noting.answered[-1]
    assert quick[0] == slow[0] == 403
    assert quick[2] == slow[2]
    assert await door.log() == []


async def test_limits_count_every_scan_against_the_key(door: Any, wires: Wires) -> None:
    scanner = await warmed(door, wires)
    left: list[int] = []
    for _ in range(3):
        status, headers, _ = await wires.ask(scan({"code": door.codes[0], "direction": "out"}, scanner))
        assert status == 200
        assert wires.noting.answered[-1]
        assert headers["ratelimit"].startswith('"identity.scan"')
        left.append(int(headers["ratelimit"].split(";")[1].removeprefix("r=")))
