"""Every operation of the OpenAPI document under generated requests, good and bad, on the running product.

Half of the ids are real ones, so that requests get past the look-up. What is checked: no 5xx but 503, no status and
no body that the document does not tell of, no bad request taken as good, no way around credentials. Not checked is
that whatever fits the schema is accepted: whether an id exists, or places are left, no schema can say.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness.api_process import api_process, settings_of, worker_process
from harness.processes import Program, wait_until
from harness.web import Seller, make_seller

from fullhouse.infra.postgres import Pool

EXAMPLES_MAX = 2
"""Of random requests, for each operation, beside all that are derived from the schema's bounds: those never vary."""
EXAMPLES_MAX_AT_LENGTH = 20
SECONDS_MAX = 600
REAL = 0.5
EVENT = {"date": "2027-05-01T20:00:00Z", "location": "Sala", "capacity": 5000, "price_minor": 0, "currency": "EUR"}


@dataclass
class World:
    """A sale with one of each thing, and the secrets that open them."""

    api: httpx.Client
    seller: Seller

    def post(self, path: str, body: object, **headers: str) -> dict[str, Any]:
        answer = self.api.post(path, json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def make(self) -> tuple[dict[str, list[str]], dict[str, str]]:
        """Make events, a reservation, an order and its tickets; return ids by name, and credentials by scheme."""
        organization = {"organization_id": str(self.seller.organization_id)}
        bearer = self.seller.bearer()
        events = [self.post("/events", {**organization, "name": f"Noite {n}", **EVENT}, **bearer) for n in range(4)]
        sessions = [str(event["sessions"][0]["id"]) for event in events]
        session = self.api.get(f"/sessions/{sessions[0]}/availability").json()
        wish = {"ticket_type_id": session["ticket_types"][0]["id"], "quantity": 2}
        reservation = self.post("/reservations", {"session_id": sessions[0], "items": [wish]})
        order = self.post(
            "/orders", {"session_id": sessions[0], "quantity": 2, "email": "ana@example.org", "name": "Ana"}
        )
        secret = {"Authorization": f"Order {order['secret']}"}

        def tickets() -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = self.api.get(f"/orders/{order['id']}/tickets", headers=secret).json()["items"]
            return items

        wait_until(lambda: len(tickets()) == 2, "the tickets of a free order")
        ids = {
            "organization_id": [organization["organization_id"]],
            "event_id": [str(event["id"]) for event in events],
            "session_id": sessions,
            "ticket_type_id": [str(wish["ticket_type_id"])],
            "reservation_id": [str(reservation["id"])],
            "order_id": [str(order["id"])],
            "ticket_id": [str(ticket["id"]) for ticket in tickets()],
            "provider": ["simulated"],
        }
        schemes = {"Bearer": bearer["Authorization"], "Order": secret["Authorization"]}
        return ids, {**schemes, "Reservation": f"Reservation {reservation['token']}"}


def configuration(ids: dict[str, list[str]], credentials: dict[str, str]) -> str:
    """Write what schemathesis needs to know: real ids to mix in, and which credential opens which operation."""
    refusals = [400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 503]
    lines = [f"checks.negative_data_rejection.expected-statuses = {[str(status) for status in refusals]}"]
    lines += [f"headers = {{ Authorization = {json.dumps(credentials['Bearer'])} }}"]
    for name, values in ids.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(values)}"]
    lines.append("[parameters]")
    for name in ids:
        for place in ("path", "body"):
            lines.append(f'"{place}.{name}" = {{ dictionary = "{name}", probability = {REAL} }}')
    for path, scheme in (
        (r"/reservations/\\{reservation_id\\}", "Reservation"),
        (r"/orders/\\{order_id\\}(/payments|/cancel|/ticket.*)?$", "Order"),
        (r"/tickets/\\{ticket_id\\}", "Order"),
    ):
        lines += [
            "[[operations]]",
            f'include-path-regex = "{path}"',
            f"headers = {{ Authorization = {json.dumps(credentials[scheme])} }}",
        ]
    return "\n".join(lines)


@pytest.fixture
def environment(database_url: str, valkey_url: str, tmp_path: Path) -> dict[str, str]:
    for_all = {"rate_limits": "off", "stream_seconds_max": "0.05"}
    return settings_of(database_url, valkey_url, tmp_path, log_format="json", **for_all)


@pytest.fixture
def running(environment: dict[str, str], tmp_path: Path) -> Iterator[tuple[Program, str]]:
    with api_process(tmp_path, environment) as api, worker_process(tmp_path, environment):
        yield api


@pytest.mark.timeout(SECONDS_MAX)
@pytest.mark.parametrize("examples_max", [EXAMPLES_MAX, pytest.param(EXAMPLES_MAX_AT_LENGTH, marks=pytest.mark.chaos)])
async def test_every_operation_answers_as_documented(
    running: tuple[Program, str], pool: Pool, tmp_path: Path, examples_max: int
) -> None:
    program, address = running
    seller = await make_seller(pool)
    await asyncio.to_thread(attack, program, address, seller, tmp_path, examples_max)


def attack(program: Program, address: str, seller: Seller, folder: Path, examples_max: int) -> None:
    with httpx.Client(base_url=f"{address}/api/v1") as api:
        ids, credentials = World(api, seller).make()
    settings = folder / "schemathesis.toml"
    settings.write_text(configuration(ids, credentials), encoding="utf-8")
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            f"--config-file={settings}",
            "run",
            f"{address}/openapi.json",
            "--phases=examples,coverage,fuzzing,stateful",
            f"--max-examples={examples_max}",
            "--exclude-checks=positive_data_acceptance",
            "--continue-on-failure",
            "--workers=2",
            "--seed=1",
        ],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX - 60,
    )
    (folder / "schemathesis.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    entries = [json.loads(line) for line in program.text().splitlines()]
    assert [entry for entry in entries if entry["level"] in {"error", "critical"}] == []
    assert {entry["status"] for entry in entries if entry["event"] == "request"} >= {200, 201, 400, 401, 404, 422}
    secrets = [credential.partition(" ")[2] for credential in credentials.values()]
    assert [secret for secret in secrets if secret in program.text()] == []
