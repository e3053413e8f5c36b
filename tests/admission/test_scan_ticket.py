"""Every outcome of the door, its log, and who wins when many scan one code at once."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from fullhouse.admission.rules import NO_CHECKS, DoorBusy, Outcome, ScanIdReused
from fullhouse.infra.postgres import transaction
from fullhouse.infra.system import make_id, now
from fullhouse.tickets.code import derive_signing_key, make_code, read_code
from fullhouse.tickets.void_tickets import void_tickets

from .conftest import code_of

HELD = {"signature": True, "ticket": True, "status": True, "session": True, "gate": True, "time": True, "entry": True}


async def test_valid_code_is_admitted_once_and_the_log_has_one_line(door: Any) -> None:
    first = await door.scan(door.codes[0], gate="North", device="scanner 7")
    again = await door.scan(door.codes[0], gate="South")

    assert (first.verdict.outcome, dict(first.verdict.checks)) == (Outcome.ADMITTED, HELD)
    assert first.ticket.ticket_id == door.tickets[0].ticket_id
    assert (first.ticket.event_name, first.ticket.ticket_type) == ("A concert", "adult")
    assert (again.verdict.outcome, dict(again.verdict.checks)) == (Outcome.ALREADY_ADMITTED, {**HELD, "entry": False})
    assert (again.admission.gate, again.admission.device) == ("North", "scanner 7")
    assert again.admission.recorded_at == first.admission.recorded_at
    assert await door.log() == [(1, "in")]
    (message,) = await door.sale.messages("ticket.admitted")
    assert message.key == door.order_id
    assert message.data == {
        "order_id": str(door.order_id),
        "ticket_id": str(door.tickets[0].ticket_id),
        "unit_id": str(door.tickets[0].unit_id),
        "session_id": str(door.tickets[0].session_id),
        "entry_number": 1,
        "gate": "North",
        "recorded_at": first.admission.recorded_at.isoformat(),
    }


async def test_who_left_may_enter_again(door: Any) -> None:
    code = door.codes[0]
    assert await door.outcome(code, "out") == "not_inside"
    assert await door.outcome(code) == "admitted"
    assert await door.outcome(code, "out") == "left"
    assert await door.outcome(code, "out") == "not_inside"
    assert await door.outcome(code) == "admitted"
    assert await door.outcome(code) == "already_admitted"
    assert await door.log() == [(1, "in"), (1, "out"), (2, "in")]
    assert len(await door.sale.messages("ticket.admitted")) == 2


async def test_entry_that_was_undone_does_not_count(door: Any) -> None:
    assert await door.outcome(door.codes[0]) == "admitted"
    await door.pool.execute(
        """
        INSERT INTO admissions (organization_id, admission_id, session_id, unit_id, ticket_id, entry_number, direction,
                                scan_id)
        SELECT organization_id, $2, session_id, unit_id, ticket_id, 1, 'undone', 'undo'
        FROM admissions WHERE organization_id = $1
        """,
        door.organization_id,
        make_id(),
    )
    assert await door.outcome(door.codes[0]) == "admitted"
    assert await door.log() == [(1, "in"), (1, "undone"), (2, "in")]


async def test_voided_ticket_is_refused_but_its_holder_may_leave(door: Any) -> None:
    inside, outside = door.codes
    assert await door.outcome(inside) == "admitted"
    async with transaction(door.pool, door.organization_id) as conn:
        units = [ticket.unit_id for ticket in door.tickets]
        await void_tickets(conn, make_id, door.organization_id, door.order_id, units)

    assert await door.outcome(outside) == "void"
    assert await door.outcome(inside) == "void"
    assert await door.outcome(inside, "out") == "left"
    assert await door.log() == [(1, "in"), (1, "out")]


async def test_replaced_ticket_is_refused(door: Any) -> None:
    await door.pool.execute("UPDATE tickets SET status = 'replaced' WHERE ticket_id = $1", door.tickets[0].ticket_id)
    answer = await door.scan(door.codes[0])
    assert (answer.verdict.outcome, answer.verdict.checks["status"]) == (Outcome.REPLACED, False)
    assert await door.log() == []


async def test_ticket_of_another_session_is_refused(door: Any) -> None:
    assert await door.outcome(door.codes[0], session_id=uuid4()) == "wrong_session"
    assert await door.outcome(door.codes[0], session_id=door.tickets[0].session_id) == "admitted"


async def test_gate_must_be_one_of_the_session_where_it_names_some(door: Any) -> None:
    await door.set_session("gates", ["North", "South"])
    assert await door.outcome(door.codes[0], gate="West") == "wrong_gate"
    assert await door.outcome(door.codes[0], gate="South") == "admitted"
    assert await door.outcome(door.codes[1]) == "admitted"


@pytest.mark.parametrize(
    ("column", "shift_minutes", "outcome"),
    [
        ("entry_from", 5, "too_early"),
        ("entry_from", -5, "admitted"),
        ("entry_until", -5, "too_late"),
        ("entry_until", 5, "admitted"),
    ],
)
async def test_entry_is_allowed_in_its_time_alone(door: Any, column: str, shift_minutes: int, outcome: str) -> None:
    await door.set_session(column, now() + timedelta(minutes=shift_minutes))
    answer = await door.scan(door.codes[0])
    assert answer.verdict.outcome.value == outcome
    assert answer.verdict.checks["time"] == (outcome == "admitted")
    assert len(await door.log()) == (outcome == "admitted")


async def test_first_check_that_fails_decides_and_the_others_are_shown(door: Any) -> None:
    await door.set_session("gates", ["North"])
    await door.set_session("entry_from", now() + timedelta(minutes=5))
    answer = await door.scan(door.codes[0], session_id=uuid4(), gate="West")
    assert answer.verdict.outcome is Outcome.WRONG_SESSION
    assert answer.verdict.checks == {**HELD, "session": False, "gate": False, "time": False}


@pytest.mark.parametrize("code", ["4006381333931", "https://example.com", "FH1", "é" * 189, "FH1" + "A" * 186])
async def test_text_that_is_no_code_of_ours_is_unknown_or_forged(door: Any, code: str) -> None:
    answer = await door.scan(code)
    assert answer.verdict.outcome in {Outcome.UNKNOWN, Outcome.FORGED}
    assert answer.ticket is None
    assert await door.log() == []


async def test_code_signed_by_another_key_is_forged_and_nothing_in_it_is_believed(door: Any) -> None:
    claims = read_code(door.codes[0]).unverified
    forged = make_code(claims, derive_signing_key(b"another server's key", door.organization_id, 1))
    for code in (forged, code_of(door.tickets[0], key_id=999)):
        answer = await door.scan(code)
        assert (answer.verdict.outcome, answer.ticket, answer.admission) == (Outcome.FORGED, None, None)
        assert answer.verdict.checks == {**NO_CHECKS, "signature": False}
    assert await door.log() == []


async def test_changed_code_is_never_believed(door: Any) -> None:
    code = door.codes[0]
    for place in range(3, len(code), 7):
        changed = code[:place] + ("B" if code[place] != "B" else "C") + code[place + 1 :]
        assert await door.outcome(changed) in {"forged", "unknown"}
    assert await door.log() == []


async def test_code_that_we_signed_for_a_ticket_that_is_not_there_is_unknown(door: Any) -> None:
    for changes in ({"ticket_id": uuid4()}, {"generation": 2}):
        answer = await door.scan(code_of(door.tickets[0], **changes))
        assert answer.verdict.outcome is Outcome.UNKNOWN
        assert answer.verdict.checks == {**NO_CHECKS, "signature": True, "ticket": False}


async def test_scanner_of_another_organization_believes_nothing(door: Any, make_door: Any) -> None:
    other = await make_door()
    answer = await other.scan(door.codes[0])
    assert (answer.verdict.outcome, answer.ticket) == (Outcome.FORGED, None)
    assert await door.log() == await other.log() == []


async def test_scan_that_is_sent_again_gets_its_first_answer(door: Any) -> None:
    first = await door.scan(door.codes[0], scan_id="scan-1", gate="North")
    again = await door.scan(door.codes[0], scan_id="scan-1", gate="North")
    assert (again.verdict, again.admission) == (first.verdict, first.admission)
    assert again.verdict.outcome is Outcome.ADMITTED
    assert await door.outcome(door.codes[0], scan_id="scan-2") == "already_admitted"
    assert await door.outcome(door.codes[0], "out", scan_id="scan-3") == "left"
    assert await door.outcome(door.codes[0], "out", scan_id="scan-3") == "left"
    assert (await door.scan(door.codes[0], scan_id="scan-1")).verdict == first.verdict
    assert await door.log() == [(1, "in"), (1, "out")]
    assert len(await door.sale.messages("ticket.admitted")) == 1


async def test_scan_id_of_another_scan_is_refused(door: Any, make_door: Any) -> None:
    await door.scan(door.codes[0], scan_id="scan-1")
    with pytest.raises(ScanIdReused):
        await door.scan(door.codes[1], scan_id="scan-1")
    with pytest.raises(ScanIdReused):
        await door.scan(door.codes[0], "out", scan_id="scan-1")
    assert await door.log() == [(1, "in")]
    # Scan ids are the organization's own.
    other = await make_door()
    assert await other.outcome(other.codes[0], scan_id="scan-1") == "admitted"


@pytest.mark.parametrize("repetition", range(5))
async def test_of_fifty_scanners_at_once_exactly_one_admits(door: Any, repetition: int) -> None:
    del repetition
    barrier = asyncio.Barrier(50)

    async def scan(number: int) -> str:
        await barrier.wait()
        return await door.outcome(door.codes[0], gate=f"Gate {number}")

    outcomes = await asyncio.gather(*map(scan, range(50)))
    assert sorted(outcomes) == ["admitted"] + ["already_admitted"] * 49
    assert await door.log() == [(1, "in")]
    assert len(await door.sale.messages("ticket.admitted")) == 1


async def test_one_scan_sent_many_times_at_once_is_admitted_every_time_and_recorded_once(door: Any) -> None:
    barrier = asyncio.Barrier(20)

    async def scan() -> str:
        await barrier.wait()
        return await door.outcome(door.codes[0], scan_id="scan-1")

    assert set(await asyncio.gather(*(scan() for _ in range(20)))) == {"admitted"}
    assert await door.log() == [(1, "in")]


async def test_ins_and_outs_at_once_leave_a_log_that_alternates(door: Any) -> None:
    barrier = asyncio.Barrier(40)

    async def walk(number: int) -> str:
        await barrier.wait()
        try:
            return await door.outcome(door.codes[0], "in" if number % 2 else "out")
        except DoorBusy:
            return "busy"

    outcomes = await asyncio.gather(*map(walk, range(40)))
    log = await door.log()
    assert outcomes.count("admitted") + outcomes.count("left") == len(log)
    assert log == [(number // 2 + 1, "in" if number % 2 == 0 else "out") for number in range(len(log))]
