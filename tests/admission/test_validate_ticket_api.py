"""The route of the door: who may scan, what is answered, what is refused."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from harness.web import client_of, make_resources, running_app

from fullhouse.admission.api import ScanResult
from fullhouse.infra.postgres import transaction
from fullhouse.infra.system import make_id, randomness
from fullhouse.organizations.issue_api_key import issue_api_key
from fullhouse.organizations.rules import NewApiKey, Role

URL = "/api/v1/tickets/validate"


@pytest.fixture(scope="module")
async def client(pool: Any, valkey: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    folder: Path = tmp_path_factory.mktemp("door")
    async with running_app(make_resources(pool, valkey, folder)) as app, client_of(app) as opened:
        yield opened


async def key_of(door: Any, role: Role) -> dict[str, str]:
    async with transaction(door.pool, door.organization_id) as conn:
        new = NewApiKey(name="door", role=role)
        _, text = await issue_api_key(conn, make_id, randomness, door.organization_id, new)
    return {"Authorization": f"Bearer {text}"}


async def test_scanner_admits_a_ticket_and_sees_what_it_is(door: Any, client: Any) -> None:
    scanner = await key_of(door, Role.SCANNER)
    body = {"code": door.codes[0], "gate": "North", "device": "scanner 7", "scan_id": "1"}
    answer = await client.post(URL, json=body, headers=scanner)
    again = await client.post(URL, json={"code": door.codes[0]}, headers=scanner)

    assert (answer.status_code, again.status_code) == (200, 200)
    ticket = door.tickets[0]
    shown = answer.json()
    assert (shown["outcome"], shown["direction"]) == ("admitted", "in")
    assert shown["ticket"]["id"] == str(ticket.ticket_id)
    assert shown["ticket"]["event"] == "A concert"
    assert shown["ticket"]["ticket_type"] == "adult"
    assert shown["admission"].items() >= {"entry_number": 1, "is_inside": True, "gate": "North"}.items()
    assert set(shown["checks"].values()) == {True}
    assert again.json()["outcome"] == "already_admitted"
    assert again.json()["admission"]["recorded_at"] == shown["admission"]["recorded_at"]
    assert (await client.post(URL, json=body, headers=scanner)).json() == shown
    assert await door.log() == [(1, "in")]


@pytest.mark.parametrize("code", ["no code", "FH1" + "A" * 186])
async def test_code_that_is_not_believed_shows_no_ticket(door: Any, client: Any, code: str) -> None:
    answer = await client.post(URL, json={"code": code}, headers=await key_of(door, Role.SCANNER))
    assert answer.status_code == 200
    assert answer.json()["outcome"] in {"unknown", "forged"}
    assert answer.json()["ticket"] is None


async def test_spaces_and_line_breaks_around_a_code_do_not_matter(door: Any, client: Any) -> None:
    scanned = {"code": f" {door.codes[0]}\r\n"}
    answer = await client.post(URL, json=scanned, headers=await key_of(door, Role.SCANNER))
    assert answer.json()["outcome"] == "admitted"
    assert await door.log() == [(1, "in")]


async def test_without_a_key_nobody_scans(door: Any, client: Any) -> None:
    assert (await client.post(URL, json={"code": door.codes[0]})).status_code == 401
    assert await door.log() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": ""},
        {"code": "x" * 1001},
        {"code": "\u0000"},
        {"code": 7},
        {"direction": "undone"},
        {"direction": "up"},
        {"session_id": "none"},
        {"scan_id": "with space"},
        {"scan_id": "x" * 101},
        {"gate": "x" * 101},
        {"gate": "\n"},
        {"unknown": 1},
    ],
)
async def test_body_that_makes_no_sense_is_refused_and_records_nothing(
    door: Any, client: Any, wrong: dict[str, Any]
) -> None:
    answer = await client.post(URL, json={"code": door.codes[0], **wrong}, headers=await key_of(door, Role.SCANNER))
    assert answer.status_code == 422
    assert await door.log() == []


async def test_scan_id_of_another_scan_is_a_422_with_its_code(door: Any, client: Any) -> None:
    scanner = await key_of(door, Role.SCANNER)
    await client.post(URL, json={"code": door.codes[0], "scan_id": "1"}, headers=scanner)
    answer = await client.post(URL, json={"code": door.codes[1], "scan_id": "1"}, headers=scanner)
    assert (answer.status_code, answer.json()["code"]) == (422, "scan_id_reused")
    assert await door.log() == [(1, "in")]
    assert (await client.post(URL, json={"code": door.codes[0], "session_id": str(uuid4())}, headers=scanner)).json()[
        "outcome"
    ] == "wrong_session"


async def test_every_answer_is_as_the_document_has_it(door: Any, client: Any) -> None:
    await door.pool.execute(
        """
        WITH named AS (UPDATE events SET name = $2 WHERE organization_id = $1)
        UPDATE units SET area = E'"A"\\\\ \\u007f', seat_label = E'Fila 1\\n' WHERE organization_id = $1
        """,
        door.organization_id,
        'Ação "ao vivo" \\ </script>\t\u2028\U0001f3ab',
    )
    await door.set_session("starts_at", datetime(2031, 7, 12, 21, tzinfo=UTC))
    scanner = await key_of(door, Role.SCANNER)
    first, second = door.codes
    asked = [
        {"code": first, "gate": 'Portão "1"', "device": "\u00e9"},
        {"code": first},
        {"code": first, "direction": "out"},
        {"code": second, "direction": "out"},
        {"code": "no code"},
    ]
    for body in asked:
        answer = await client.post(URL, json=body, headers=scanner)
        assert answer.status_code == 200
        assert ScanResult.model_validate_json(answer.content).model_dump_json() == answer.text
