"""``fullhouse dead-letters`` lists, shows, replays and discards."""

import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from harness.messages import message
from harness.processes import clean_environment, fullhouse

from fullhouse.infra.brokers import open_broker
from fullhouse.infra.brokers.cloud_events import to_cloud_event
from fullhouse.infra.brokers.dead_letters import list_dead_letters
from fullhouse.infra.system import make_id
from fullhouse.workers.subscriptions import QUEUES


class Operator:
    """Somebody at a terminal."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.environment = clean_environment(
            FULLHOUSE_DATABASE_URL=database_url,
            FULLHOUSE_VALKEY_URL="valkey://127.0.0.1:1/0",
            FULLHOUSE_SECRET_KEY="k" * 32,
        )

    def run(self, *arguments: str, code: int = 0) -> str:
        result = subprocess.run(
            fullhouse("dead-letters", *arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == code, result.stderr
        return result.stdout if code == 0 else result.stderr


@pytest.fixture
def operator(tmp_path: Path, fresh_database: str) -> Operator:
    return Operator(tmp_path, fresh_database)


async def put_away(pool: Any, url: str, queue: str, reason: str) -> str:
    broker = open_broker("postgres", pool=pool, database_url=url, make_id=make_id)
    await broker.declare(QUEUES)
    await broker.requeue(queue, to_cloud_event(message(type_=next(iter(QUEUES[queue])), number=1)))
    (delivery,) = await broker.receive(queue, count_max=1, lease_seconds=30)
    await broker.dead_letter(delivery, reason)
    await broker.close()
    return str((await list_dead_letters(pool, queue=queue))[0].dead_letter_id)


async def test_operator_lists_shows_and_replays(operator: Operator, fresh_pool: Any, fresh_database: str) -> None:
    issue = await put_away(fresh_pool, fresh_database, "tickets.issue", "not_found: no order")
    settle = await put_away(fresh_pool, fresh_database, "payments.settle", "ValueError: odd")

    listed = operator.run("list").splitlines()
    assert [line.split("  ")[0] for line in listed] == [settle, issue]
    assert "tickets.issue  not_found: no order" in listed[1]
    assert operator.run("list", "--queue", "tickets.issue").splitlines() == listed[1:]
    shown = operator.run("show", issue)
    assert "reason       not_found: no order" in shown
    assert '"type": "order.paid.v1"' in shown

    assert operator.run("replay", issue) == f"Put back into tickets.issue: {issue}\n"
    assert await fresh_pool.fetchval("SELECT queue FROM broker_messages") == "tickets.issue"
    assert issue not in operator.run("list")
    assert "dead letter" in operator.run("replay", issue, code=2)
    assert operator.run("replay", "--all") == f"Put back into payments.settle: {settle}\n"
    assert operator.run("list") == "No dead letter waits.\n"


async def test_operator_discards(operator: Operator, fresh_pool: Any, fresh_database: str) -> None:
    letter = await put_away(fresh_pool, fresh_database, "tickets.issue", "not_found: no order")
    assert operator.run("discard", letter) == f"Discarded: {letter}\n"
    assert operator.run("list") == "No dead letter waits.\n"
    assert "resolution   discarded" in operator.run("show", letter)
    assert await fresh_pool.fetchval("SELECT count(*) FROM broker_messages") == 0


def test_mistakes_are_one_clear_line(operator: Operator) -> None:
    for arguments in (("show", str(uuid4())), ("show", "x"), ("replay",), ("list", "--queue", "none"), ("discard",)):
        text = operator.run(*arguments, code=2)
        assert text.startswith("fullhouse: ")
        assert text.count("\n") == 1


async def test_operator_deals_with_what_the_broker_refused(operator: Operator, fresh_pool: Any) -> None:
    again, gone = uuid4(), uuid4()
    await fresh_pool.executemany(
        """
        INSERT INTO outbox (organization_id, message_id, partition, key, type, version, data, retry_at, attempts,
                            last_error)
        VALUES (gen_random_uuid(), $1, 1, gen_random_uuid(), 'thing.happened', 1, '{}', 'infinity', 8, 'too large')
        """,
        [(again,), (gone,)],
    )
    listed = operator.run("list", "--queue", "outbox")
    assert (listed.count("too large"), str(again) in listed, str(gone) in listed) == (2, True, True)
    assert "thing.happened.v1" in operator.run("show", str(gone))
    assert f"Put back into outbox: {again}" in operator.run("replay", str(again))
    assert f"Discarded: {gone}" in operator.run("discard", str(gone))

    rows = await fresh_pool.fetch("SELECT message_id, attempts, retry_at FROM outbox")
    assert [tuple(row) for row in rows] == [(again, 0, None)]
    assert await fresh_pool.fetchval("SELECT resolution FROM dead_letters WHERE message_id = $1", gone) == "discarded"
    assert "No dead letter waits." in operator.run("list", "--queue", "outbox")
