"""The API in a process of its own: requests in flight are finished, and its log is JSON without secrets."""

import asyncio
import json
import signal
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from harness.api_process import api_process, settings_of
from harness.processes import Program, wait_until
from harness.waiting import until
from harness.web import Seller, make_seller

from fullhouse.infra.postgres import Pool, connection, transaction

ANSWER_SECONDS_MAX = 30


@pytest.fixture(scope="module")
def server(
    database_url: str, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Program, str]]:
    folder = tmp_path_factory.mktemp("server")
    environment = settings_of(database_url, valkey_url, folder, log_format="json", drain_seconds="3")
    with api_process(folder, environment) as running:
        yield running


def keys_of(seller: Seller) -> str:
    return f"/api/v1/organizations/{seller.organization_id}/api-keys"


def entries(program: Program) -> list[dict[str, Any]]:
    return [json.loads(line) for line in program.text().splitlines()]


def refuses_connections(address: str) -> bool:
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


async def test_what_was_sent_in_secret_is_in_no_log(server: tuple[Program, str], pool: Pool) -> None:
    program, address = server
    seller = await make_seller(pool)
    before = len(program.text())
    canaries = [
        *seller.keys.values(),
        "canary-reservation-token-0123456789",
        "canary-order-secret-0123456789",
        "canary.buyer@example.org",
        "canary-in-query",
        "canary-in-path",
        "canary-unknown-field",
    ]
    async with httpx.AsyncClient(base_url=address, timeout=ANSWER_SECONDS_MAX) as client:
        nobody = "01890a5d-ac96-774b-bcce-b302099a8057"
        issued = await client.post(keys_of(seller), headers=seller.bearer(), json={"name": "x", "role": "owner"})
        canaries.append(issued.json()["key"])
        answers = [
            issued,
            await client.get(keys_of(seller), headers={"Authorization": f"Bearer {seller.keys['owner']}x"}),  # pyright: ignore[reportArgumentType]
            await client.get(
                f"/api/v1/reservations/{nobody}",
                headers={"Authorization": "Reservation canary-reservation-token-0123456789"},
            ),
            await client.get(
                f"/api/v1/orders/{nobody}", headers={"Authorization": "Order canary-order-secret-0123456789"}
            ),
            await client.get(f"/orders/{nobody}", params={"secret": "canary-order-secret-0123456789"}),
            await client.post(
                "/api/v1/orders",
                json={"session_id": nobody, "quantity": 1, "email": "canary.buyer@example.org", "name": "Ana"},
            ),
            await client.get("/api/v1/events", params={"q": "canary-in-query", "cursor": "canary-in-query"}),
            await client.get("/canary-in-path/canary-in-path"),
            await client.post("/api/v1/orders", json={"canary-unknown-field": "canary-unknown-field"}),
        ]
    assert [answer.status_code for answer in answers] == [201, 401, 404, 404, 404, 404, 400, 404, 422]
    last = answers[-1].headers["x-request-id"]
    # The line of a request is written after its answer has left.
    await asyncio.to_thread(wait_until, lambda: last in program.text(), "the last request is in the log")
    log = program.text()[before:]
    assert [canary for canary in canaries if canary in log] == []
    requests = [entry for entry in map(json.loads, log.splitlines()) if entry["event"] == "request"]
    assert [entry["status"] for entry in requests] == [201, 401, 404, 404, 404, 404, 400, 404, 422]
    assert [entry["request_id"] for entry in requests] == [answer.headers["x-request-id"] for answer in answers]


async def test_the_id_of_a_request_goes_into_the_messages_that_it_causes(
    server: tuple[Program, str], pool: Pool
) -> None:
    _, address = server
    seller = await make_seller(pool)
    event = {"date": "2027-05-01T20:00:00Z", "location": "Sala", "capacity": 5, "price_minor": 100, "currency": "EUR"}
    async with httpx.AsyncClient(base_url=address, timeout=ANSWER_SECONDS_MAX) as client:
        made = await client.post(
            "/api/v1/events",
            headers={**seller.bearer(), "X-Request-ID": "the-id-of-this-request"},
            json={"organization_id": str(seller.organization_id), "name": "Noite", **event},
        )
    assert made.status_code == 201
    async with connection(pool, seller.organization_id) as conn:
        ids = await conn.fetch(
            "SELECT DISTINCT request_id FROM outbox WHERE organization_id = $1", seller.organization_id
        )
    assert [row["request_id"] for row in ids] == ["the-id-of-this-request"]


async def test_raw_bytes_that_are_no_http_do_not_hurt(server: tuple[Program, str]) -> None:
    program, address = server
    host, _, port = address.removeprefix("http://").partition(":")
    for sent in (
        b"\x00\xff\xfe\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /%00%ff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\x00b\r\n\r\n",
        b"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
        b"GET " + b"/a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        writer.write_eof()
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            answer = await reader.read(100)
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")) or b" 200 OK" in answer
        writer.close()
        await writer.wait_closed()
    async with httpx.AsyncClient(base_url=address) as client:
        assert (await client.get("/healthz")).status_code == 200
    assert [entry for entry in entries(program) if entry["level"] == "error"] == []


async def test_it_says_that_it_drains_goes_on_meanwhile_and_finishes_what_is_in_flight(
    server: tuple[Program, str], pool: Pool
) -> None:
    """The last test of this process: it is asked to stop."""
    program, address = server
    seller = await make_seller(pool)
    before = len(program.text())

    async def waits_for_lock() -> bool:
        return await pool.fetchval(
            """
            SELECT EXISTS (SELECT FROM pg_stat_activity
                WHERE application_name = 'fullhouse-api' AND wait_event_type = 'Lock'
                  AND datname = current_database())
            """
        )

    async def says_so() -> bool:
        answer = await client.get("/readyz")
        return (answer.status_code, answer.json()["status"]) == (503, "draining")

    async def is_closed() -> bool:
        return refuses_connections(address)

    async with httpx.AsyncClient(base_url=address, timeout=ANSWER_SECONDS_MAX) as client:
        async with transaction(pool, seller.organization_id) as conn:
            await conn.fetchval(
                "SELECT 1 FROM organizations WHERE organization_id = $1 FOR UPDATE", seller.organization_id
            )
            body = {"name": "Door 1", "role": "scanner"}
            request = asyncio.create_task(client.post(keys_of(seller), headers=seller.bearer(), json=body))
            await until(waits_for_lock)
            program.send(signal.SIGTERM)
            await until(says_so)
            assert (await client.get("/api/v1/events")).status_code == 200
            await until(is_closed)
            assert not request.done()
        answer = await request
    assert answer.status_code == 201
    assert answer.json()["name"] == "Door 1"
    assert await asyncio.to_thread(program.wait) == 0
    log = map(json.loads, program.text()[before:].splitlines())
    assert [entry["status"] for entry in log if entry.get("method") == "POST"] == [201]
