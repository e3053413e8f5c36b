"""``fullhouse money-cases`` lists, shows and closes what only a person can put right."""

from pathlib import Path
from uuid import UUID

import pytest
from harness.sale import make_sale
from harness.terminal import Operator

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.payments.money_cases import MEANINGS, NewCase, open_case

STRANGER = "018f0000-0000-7000-8000-000000000000"


@pytest.fixture
def operator(tmp_path: Path, fresh_database: str) -> Operator:
    return Operator("money-cases", fresh_database, tmp_path)


async def opened(pool: Pool, subject: str) -> UUID:
    """Open a case in an organization of its own; return whose it is."""
    organization_id = (await make_sale(pool)).made.organization_id
    async with transaction(pool, organization_id) as conn:
        await open_case(conn, system.make_id, organization_id, NewCase("amount_differs", "stripe", subject, "5 or 7."))
    return organization_id


async def test_cases_are_listed_shown_and_closed_with_a_reason(operator: Operator, fresh_pool: Pool) -> None:
    assert await operator.run("list") == "No case waits.\n"
    first, second = [await opened(fresh_pool, subject) for subject in ("pi_1", "pi_2")]
    lines = (await operator.run("list")).splitlines()
    assert [line.split("  ")[2:] for line in lines] == [["amount_differs", "stripe", one] for one in ("pi_1", "pi_2")]
    assert (await operator.run("list", "--organization", str(second))).splitlines() == lines[1:]
    case_id = lines[0].split()[0]

    shown = await operator.run("show", case_id)
    for part in ("amount_differs", "pi_1", "5 or 7.", str(first), MEANINGS["amount_differs"]):
        assert part in shown
    assert "closed_at" not in shown

    assert "reference: " in await operator.run(
        "close", case_id, "--resolution", "written_off", "--reference", "Ana Souza", code=2
    )
    closed = await operator.run("close", case_id, "--resolution", "written_off", "--reference", "note-7")
    assert "note-7" in await operator.run("show", case_id)
    assert await operator.run("close", case_id, "--resolution", "none_of_ours") == closed
    assert (await operator.run("list")).splitlines() == lines[1:]
    assert (await operator.run("list", "--closed")).splitlines() == lines[:1]
    entries = await fresh_pool.fetch(
        "SELECT actor_kind, details FROM audit_entries WHERE action = 'money_case.resolve'"
    )
    assert [tuple(row) for row in entries] == [
        ("operator", {"kind": "amount_differs", "provider": "stripe", "resolution": "written_off"})
    ]


async def test_what_is_not_there_and_reasons_of_ones_own_change_nothing(operator: Operator, fresh_pool: Pool) -> None:
    await opened(fresh_pool, "pi_1")
    case_id = (await operator.run("list")).split()[0]
    assert "There is no such case." in await operator.run("show", STRANGER, code=2)
    assert "There is no such case." in await operator.run("close", STRANGER, "--resolution", "written_off", code=2)
    assert "--resolution" in await operator.run("close", case_id, code=2)
    assert "'he called'" in await operator.run("close", case_id, "--resolution", "he called", code=2)
    assert (await operator.run("list")).split()[0] == case_id
