"""Everything that the product asks of Valkey works on a cluster of three real servers, and while one of them dies."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from uuid import UUID

import pytest
from harness.stock import MadeSession, make_session
from harness.streams import watching
from harness.valkey_cluster import Cluster, is_whole, start_cluster
from harness.waiting import until
from harness.web import client_of, make_resources, running_app
from valkey.exceptions import ValkeyError

from fullhouse.core.errors import TooMany
from fullhouse.identity.tries import SECOND_FACTOR, Tries
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool
from fullhouse.infra.rate_budgets import Budget
from fullhouse.infra.rate_limits import Limiter
from fullhouse.infra.resources import open_valkey
from fullhouse.infra.valkey_cluster import open_cluster
from fullhouse.operations.doctor import _valkey as look_at_valkey
from fullhouse.realtime.announce_changes import Announcer, channel_name
from fullhouse.reservations.shield import reservation_name
from fullhouse.web.edge import Edge

SOURCES = Path(__file__).parents[2] / "src" / "fullhouse"


@pytest.fixture(scope="module")
async def cluster() -> AsyncIterator[Cluster]:
    folder = Path(mkdtemp(prefix="cluster-"))
    running = await start_cluster(folder)
    yield running
    await asyncio.to_thread(running.stop)
    rmtree(folder)


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[Any]:
    opened: Any = open_valkey(cluster.url)
    yield opened
    await opened.aclose()


@asynccontextmanager
async def machine(pool: Pool, cluster: Cluster, folder: Path) -> AsyncGenerator[Edge]:
    """Run an API that shares the database and the cluster with others, and nothing else."""
    valkey = open_valkey(cluster.url)
    try:
        async with running_app(make_resources(pool, valkey, folder), stream_seconds_max=600) as app:
            yield app
    finally:
        await valkey.aclose()


def wish(made: MadeSession, quantity: int = 1) -> dict[str, Any]:
    items = [{"ticket_type_id": str(made.types["adult"]), "quantity": quantity}]
    return {"session_id": str(made.session_id), "items": items}


async def test_two_machines_sell_stream_and_show_over_a_cluster(
    pool: Pool, cluster: Cluster, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await make_session(pool, capacity=10)
    async with (
        machine(pool, cluster, tmp_path) as one,
        machine(pool, cluster, tmp_path) as other,
        client_of(one) as here,
        client_of(other) as there,
        watching(other, made.session_id) as stream,
    ):
        monkeypatch.setattr("fullhouse.realtime.streams.LOOK_SECONDS", 3600.0)
        first = await stream.next_event()
        await until(lambda: is_heard(cluster))
        available = 10
        # An announcement is a hint, which a busy machine may lose; of several one comes.
        for quantity in (4, 1, 1, 1):
            held = await here.post("/api/v1/reservations", json=wish(made, quantity))
            assert held.status_code == 201
            available -= quantity
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await stream.until(first.id + 1)
                break
        (*_, change) = stream.events
        assert change.id > first.id
        assert change.data["ticket_types"][0]["available"] == available
        shown = await there.get(f"/api/v1/sessions/{made.session_id}/availability")
        assert shown.json()["ticket_types"][0]["available"] == available
        copy = reservation_name(made.session_id, UUID(held.json()["id"]))
        place = f"/api/v1/reservations/{held.json()['id']}"
        holder = {"Authorization": f"Reservation {held.json()['token']}"}
        assert not await client.exists(copy), "nobody has looked at it"
        assert (await there.get(place, headers=holder)).status_code == 200
        assert await client.exists(copy)
        gone = await there.delete(place, headers=holder)
        assert gone.status_code == 204
        assert not await client.exists(copy)
        assert (await there.get("/readyz")).json()["parts"]["valkey"] == "ok"


async def test_budgets_hold_over_processes_and_lie_on_all_servers(cluster: Cluster, client: Any) -> None:
    quota, subjects = 40, [f"somebody {number}" for number in range(12)]
    other: Any = open_valkey(cluster.url)
    budgets = {"hold": Budget(quota, 3_600)}
    limiters = [Limiter(one, system.now, b"a key that hides", budgets, processes=2) for one in (client, other)]

    async def ask(limiter: Limiter, subject: str) -> int:
        return sum([(await limiter.take("hold", subject)).allowed for _ in range(quota)])

    got = await asyncio.gather(*(ask(limiter, subject) for limiter in limiters for subject in subjects))
    for limiter in limiters:
        await limiter.close()
    await other.aclose()
    per_subject = [one + two for one, two in zip(got[: len(subjects)], got[len(subjects) :], strict=True)]
    assert all(0.9 * quota <= count <= 1.1 * quota for count in per_subject), per_subject
    for node in cluster.nodes:
        own = node.client()
        assert list(await own.keys("rate:hold:*")), "a server has none of them"
        await own.aclose()


async def test_tries_are_counted_on_a_cluster(client: Any) -> None:
    tries, asked = Tries(client, system.now), (SECOND_FACTOR, f"{system.make_id()}")
    other = Tries(client, system.now)
    for number in range(SECOND_FACTOR.free):
        await (tries, other)[number % 2].begin(asked)
    with pytest.raises(TooMany):
        await tries.begin(asked)
    assert tries._here == other._here == {}, "the cluster counted, not the process"


async def test_keys_of_a_session_share_a_slot_and_sessions_do_not(client: Any) -> None:
    sessions = [system.make_id() for _ in range(20)]
    slots = {
        session: {
            client.keyslot(reservation_name(session, system.make_id())),
            client.keyslot(reservation_name(session, system.make_id())),
            client.keyslot(f"{{session:{session}}}:available"),
            client.keyslot(channel_name(session)),
        }
        for session in sessions
    }
    assert all(len(found) == 1 for found in slots.values())
    assert len({slot for found in slots.values() for slot in found}) > 10


def test_every_script_has_one_key() -> None:
    calls = [
        (path.name, call)
        for path in SOURCES.rglob("*.py")
        for call in re.findall(r"\.(?:eval|evalsha|fcall)\(([^)]*)\)", path.read_text(encoding="utf-8"))
    ]
    assert {name for name, _ in calls} == {"tries.py", "rate_ledger.py"}
    assert [(name, call) for name, call in calls if call.split(",")[1].strip() != "1"] == []


async def test_a_dead_server_costs_its_keys_and_listeners_move_on(cluster: Cluster, client: Any) -> None:
    """The others go on with what is theirs; who listened at the dead one listens at another. Then it comes back."""
    heard: list[tuple[UUID, int]] = []
    listener: Any = open_valkey(cluster.url)
    announcer = Announcer(listener, system.now, lambda session_id, version: heard.append((session_id, version)))
    teller = Announcer(client, system.now, lambda _session_id, _version: None)
    announcer.listen()

    async def is_told(version: int) -> bool:
        session_id = system.make_id()
        teller.note(session_id, version)
        await asyncio.sleep(0.05)
        return (session_id, version) in heard

    try:
        await until(lambda: is_told(1))
        at = await asyncio.gather(*map(listens, cluster.nodes))
        dead = cluster.nodes[at.index(1)]
        await asyncio.to_thread(dead.kill)
        await until(lambda: is_told(2))
        assert sum([await listens(node) for node in cluster.nodes if node is not dead]) == 1
        stored = [await is_stored(client, f"key {number}") for number in range(30)]
        assert 0 < stored.count(True) < 30, "what lay on the dead server cannot be written, the rest can"
        await asyncio.to_thread(dead.start)
        await until(lambda: all_know(cluster))
        await until(lambda: all_stored(client))
    finally:
        await announcer.close()
        await teller.close()
        await listener.aclose()


async def listens(node: Any) -> int:
    """Return how many listen at a server."""
    own = node.client()
    try:
        return int(await own.pubsub_numpat())
    finally:
        await own.aclose()


async def is_heard(cluster: Cluster) -> bool:
    """Say whether somebody listens yet: what is announced before is lost, and found by looking a second later."""
    return any([await listens(node) for node in cluster.nodes])


async def is_stored(client: Any, key: str) -> bool:
    try:
        return bool(await client.set(key, "1"))
    except (OSError, ValkeyError):
        return False


async def all_stored(client: Any) -> bool:
    return all([await is_stored(client, f"key {number}") for number in range(30)])


async def all_know(cluster: Cluster) -> bool:
    clients = [node.client() for node in cluster.nodes]
    try:
        return all([await is_whole(one) for one in clients])
    finally:
        for one in clients:
            await one.aclose()


async def test_the_doctor_looks_at_a_cluster(cluster: Cluster) -> None:
    assert re.fullmatch(r"Valkey \d+\.\d+\.\d+", await look_at_valkey(cluster.url))


@pytest.mark.parametrize("url", ["valkey+cluster://", "valkey+cluster://one:7000/3", "valkey+cluster://one:x"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"cluster of Valkey|Port could not"):
        open_cluster(url)


def test_tls_and_defaults_are_read_from_the_url() -> None:
    client = open_cluster("rediss+cluster://seller:p%40ss@one:7000,[::1]")
    nodes = client.nodes_manager.startup_nodes.values()
    assert [(node.host, node.port) for node in nodes] == [("one", 7000), ("::1", 6379)]
    assert client.connection_kwargs["password"] == "p@ss"
    assert client._of_listeners["connection_class"].__name__ == "SSLConnection"
