"""Scans in batches: each gets its own outcome, entry and request; of many with one ticket exactly one is admitted."""

import asyncio
from typing import Any, cast

import pytest
from harness.stock import SERVER_KEY

from fullhouse.admission import doors as doors_module
from fullhouse.admission import scan_batch as scan_module
from fullhouse.admission.doors import Doors
from fullhouse.admission.rules import Direction, DoorBusy, Scan, ScanIdReused
from fullhouse.admission.scan_batch import Asked, ScanAnswer, scan_batch
from fullhouse.core.actor import Actor, ActorKind
from fullhouse.infra import audit_log, outbox
from fullhouse.infra.audit_log import Asking
from fullhouse.infra.postgres import connection
from fullhouse.infra.system import make_id
from fullhouse.tickets.code import read_code


def scan_of(door: Any, code: str, direction: str = "in", **options: Any) -> Scan:
    return Scan(door.organization_id, code, Direction(direction), **options)


async def asked(doors: Doors, scan: Scan, request: str) -> ScanAnswer:
    """Scan in a request of its own."""
    actor = Actor(ActorKind.API_KEY, scan.organization_id, make_id(), request)
    audit_log.asking.set(Asking(actor, "203.0.113.7", f"scanner of {request}"))
    outbox.request_id.set(request)
    return await doors.scan(scan)


async def test_of_fifty_scanners_at_two_processes_exactly_one_admits(door: Any) -> None:
    processes = [Doors(door.pool, make_id, SERVER_KEY), Doors(door.pool, make_id, SERVER_KEY)]
    barrier = asyncio.Barrier(50)

    async def scan(number: int) -> str:
        await barrier.wait()
        code = door.codes[number // 2 % 2]
        return (await processes[number % 2].scan(scan_of(door, code, gate=f"Gate {number}"))).verdict.outcome.value

    outcomes = await asyncio.gather(*map(scan, range(50)))
    assert sorted(outcomes) == ["admitted"] * 2 + ["already_admitted"] * 48
    assert await door.log() == [(1, "in")] * 2
    assert len(await door.sale.messages("ticket.admitted")) == 2


async def test_in_one_batch_each_has_its_own_outcome_entry_and_request(door: Any, monkeypatch: Any) -> None:
    doors, sizes, judge = Doors(door.pool, make_id, SERVER_KEY), list[int](), doors_module.scan_batch

    async def noting(*arguments: Any) -> Any:
        sizes.append(len(arguments[3]))
        return await judge(*arguments)

    monkeypatch.setattr(doors_module, "scan_batch", noting)
    first, second = door.codes
    await doors.scan(scan_of(door, first, "out"))  # learns the key
    wanted = [
        (scan_of(door, first, scan_id="one"), "admitted"),
        (scan_of(door, first), "already_admitted"),
        (scan_of(door, first, scan_id="one"), "admitted"),
        (scan_of(door, "FH1.forged"), "unknown"),
        (scan_of(door, second, "out"), "not_inside"),
        (scan_of(door, first, "out"), "left"),
        (scan_of(door, second), "admitted"),
        (scan_of(door, first), "admitted"),
    ]
    answers = await asyncio.gather(*(asked(doors, scan, f"request {n}") for n, (scan, _) in enumerate(wanted)))
    assert [one.verdict.outcome.value for one in answers] == [outcome for _, outcome in wanted]
    # What hangs on an entry of its batch is judged after that is committed: no transaction records twice.
    assert sizes == [1, 8, 4, 1]
    assert answers[2].admission == answers[0].admission
    assert sorted(await door.log()) == [(1, "in"), (1, "in"), (1, "out"), (2, "in")]
    rows = await door.pool.fetch(
        """
        SELECT e.request_id, e.actor_label, e.details ->> 'outcome' AS outcome, o.user_agent,
               e.origin_digest = sha256(o.salt || convert_to(o.address || chr(31) || o.user_agent, 'UTF8')) AS fits
        FROM audit_entries e JOIN audit_origins o USING (organization_id, position)
        JOIN audit_arrivals a USING (organization_id, position)
        WHERE e.organization_id = $1 ORDER BY e.request_id
        """,
        door.organization_id,
    )
    told = [(f"request {n}", outcome) for n, (_, outcome) in enumerate(wanted) if n != 2]
    assert [(row["request_id"], row["outcome"]) for row in rows] == told
    assert all(row["fits"] and row["user_agent"] == f"scanner of {row['actor_label']}" for row in rows)
    requests = await door.pool.fetch(
        "SELECT request_id FROM outbox WHERE organization_id = $1 AND type = 'ticket.admitted' ORDER BY request_id",
        door.organization_id,
    )
    assert [row["request_id"] for row in requests] == ["request 0", "request 6", "request 7"]


async def test_a_genuine_code_is_known_again_and_its_ticket_looked_up_each_time(door: Any, monkeypatch: Any) -> None:
    doors, checked = Doors(door.pool, make_id, SERVER_KEY), list[str]()
    check = doors_module.believe

    def noting(*arguments: Any) -> Any:
        checked.append("checked")
        return check(*arguments)

    monkeypatch.setattr(doors_module, "believe", noting)
    code = door.codes[0]
    await doors.scan(scan_of(door, code))
    assert (await doors.scan(scan_of(door, code))).verdict.outcome.value == "already_admitted"
    forged = code[:-4] + ("AAAA" if code[-4:-1] != "AAA" else "BBBA")
    for _ in range(2):
        assert (await doors.scan(scan_of(door, forged))).verdict.outcome.value in {"forged", "unknown"}
    assert len(checked) <= 3
    await door.pool.execute(
        "UPDATE tickets SET status = 'void', ended_at = clock_timestamp() WHERE organization_id = $1",
        door.organization_id,
    )
    assert (await doors.scan(scan_of(door, code))).verdict.outcome.value == "void"


async def test_a_bad_scan_fails_alone(door: Any, make_door: Any) -> None:
    doors, other = Doors(door.pool, make_id, SERVER_KEY), await make_door()
    good, bad = door.codes
    await doors.scan(scan_of(door, good, scan_id="mine"))
    answers = await asyncio.gather(
        doors.scan(scan_of(door, good, "out")),
        doors.scan(scan_of(door, bad, gate="a\x00gate")),
        doors.scan(scan_of(door, bad, scan_id="mine")),
        doors.scan(scan_of(door, other.codes[0])),
        doors.scan(scan_of(other, other.codes[0], scan_id="mine")),
        return_exceptions=True,
    )
    outcomes = [one.verdict.outcome.value if isinstance(one, ScanAnswer) else type(one) for one in answers]
    assert isinstance(answers[1], Exception)
    assert [outcomes[0], *outcomes[2:]] == ["left", ScanIdReused, "forged", "admitted"]
    assert await door.log() == [(1, "in"), (1, "out")]


async def test_a_batch_takes_two_statements_whatever_its_size(door: Any) -> None:
    doors = Doors(door.pool, make_id, SERVER_KEY)
    await doors.scan(scan_of(door, door.codes[0], "out"))  # learns the key
    actor = Asking(Actor(ActorKind.API_KEY, door.organization_id, make_id(), "scanner"))
    claims = [read_code(code).unverified for code in door.codes]
    for size in (1, 40):
        asked = [Asked(scan_of(door, ""), claims[n % 2], actor, None, None) for n in range(size)]
        statements: list[str] = []
        async with connection(door.pool, door.organization_id) as conn:
            with cast("Any", conn).query_logger(lambda logged, seen=statements: seen.append(logged.query)):
                answers = await scan_batch(conn, make_id, door.organization_id, asked)
                await asyncio.sleep(0)  # the driver tells the logger a turn later
        assert len(statements) == 2
        assert [one is None for one in answers] == [n % 2 == 1 and n > 1 for n in range(size)]


async def test_who_is_beaten_to_it_three_times_is_told_to_scan_again_and_leaves_no_trace(
    door: Any, monkeypatch: Any
) -> None:
    async def nothing(*_: Any) -> frozenset[Any]:
        return frozenset()

    monkeypatch.setattr(scan_module, "insert_admissions", nothing)
    doors = Doors(door.pool, make_id, SERVER_KEY)
    with pytest.raises(DoorBusy):
        await doors.scan(scan_of(door, door.codes[0]))
    monkeypatch.undo()
    assert await door.log() == []
    assert (await doors.scan(scan_of(door, door.codes[0]))).verdict.outcome.value == "admitted"
