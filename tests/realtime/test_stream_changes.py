"""A stream through the real app: a snapshot, then what changes, and the same state as the availability answer."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest
from harness.stock import SERVER_KEY, MadeSession, make_seated_session, make_session, rectangle, wants
from harness.streams import body_of, parse, state_of, watching
from harness.waiting import until
from harness.web import running_app

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.infra.resources import Resources
from fullhouse.realtime.stream_changes import RETRY_MS_MIN, RETRY_MS_MORE
from fullhouse.realtime.streams import Streams
from fullhouse.reservations.change_quota import change_quota
from fullhouse.reservations.place_reservation import BoxOffice
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.reservations.rules import ItemRequest, Reservation
from fullhouse.web.edge import Edge


def office_of(app: Edge) -> BoxOffice:
    return app.api.state.box_office


def streams_of(app: Edge) -> Streams:
    return app.api.state.streams


async def look(client: httpx.AsyncClient, made: MadeSession) -> dict[str, object]:
    answer = await client.get(f"/api/v1/sessions/{made.session_id}/availability")
    assert answer.status_code == 200
    return state_of(answer.json())


async def hold(app: Edge, made: MadeSession, quantity: int = 1) -> Reservation:
    return (await office_of(app).place_reservation(made.session_id, wants(made, quantity))).reservation


async def hold_seats(app: Edge, made: MadeSession, *keys: str) -> Reservation:
    item = ItemRequest(made.types["adult"], seats=keys)
    return (await office_of(app).place_reservation(made.session_id, (item,))).reservation


async def test_a_snapshot_comes_first_and_is_the_availability_answer(
    app: Edge, client: httpx.AsyncClient, pool: Pool
) -> None:
    made = await make_seated_session(pool, rectangle(3, 5))
    await hold_seats(app, made, "2-2")
    answer = (await client.get(f"/api/v1/sessions/{made.session_id}/availability")).json()
    async with watching(app, made.session_id) as stream:
        first = await stream.next_event()
    assert (first.id, first.name, first.data) == (answer["version"], "snapshot", answer)
    assert stream.status == 200
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "no-store, no-transform"
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.headers["x-content-type-options"] == "nosniff"
    assert "content-length" not in stream.headers
    UUID(stream.headers["x-request-id"])
    retry = int(stream.text.split("\n")[0].removeprefix("retry:"))
    assert RETRY_MS_MIN <= retry <= RETRY_MS_MIN + RETRY_MS_MORE


async def test_each_change_says_what_became_of_its_parts(app: Edge, client: httpx.AsyncClient, pool: Pool) -> None:
    made = await make_seated_session(pool, rectangle(3, 5))
    async with watching(app, made.session_id) as stream:
        version = (await stream.next_event()).id
        held = await hold_seats(app, made, "1-1", "3-5")
        change = await stream.next_event()
        adult = {"id": str(made.types["adult"]), "available": 13, "prices": [13]}
        assert (change.id, change.name) == (version + 1, "change")
        assert change.data == {
            "version": version + 1,
            "on_sale": True,
            "ticket_types": [adult],
            "seats": {"1": [0, 14]},
        }
        async with transaction(pool, made.organization_id) as conn:
            await release_reservation(conn, system.make_id, made.organization_id, held.reservation_id)
        back = await stream.next_event()
        assert back.id == version + 2
        assert stream.state() == await look(client, made)


async def test_all_seats_are_packed_where_a_list_of_them_would_be_longer(
    app: Edge, client: httpx.AsyncClient, pool: Pool
) -> None:
    made = await make_seated_session(pool, rectangle(3, 5))
    async with watching(app, made.session_id) as stream:
        await stream.next_event()
        await hold_seats(app, made, "1-1", "2-1", "3-5")
        assert (await stream.next_event()).data["seats"] == "AQQAEA=="
        assert stream.state() == await look(client, made)


async def test_everybody_gets_the_same_bytes_at_most_four_times_a_second(app: Edge, pool: Pool) -> None:
    made = await make_session(pool, capacity=500)
    async with watching(app, made.session_id) as one, watching(app, made.session_id) as other:
        begins = [await one.next_event(), await other.next_event()]
        started = asyncio.get_running_loop().time()
        last = begins[0].id
        for _ in range(60):
            await hold(app, made)
            await asyncio.sleep(0.02)
            last += 1
        changes = [(await stream.until(last))[1:] for stream in (one, other)]
        seconds = asyncio.get_running_loop().time() - started
    assert changes[0] == changes[1]
    assert changes[0][-1].data["ticket_types"][0]["available"] == 440
    # One at once, and one for each quarter of a second that began.
    assert 2 <= len(changes[0]) <= seconds / 0.25 + 2
    versions = [event.id for event in changes[0]]
    assert versions == sorted(set(versions))


async def test_new_terms_bring_a_new_snapshot(app: Edge, client: httpx.AsyncClient, pool: Pool) -> None:
    made = await make_session(pool, capacity=10)
    async with watching(app, made.session_id) as stream:
        version = (await stream.next_event()).id
        async with transaction(pool, made.organization_id) as conn:
            await change_quota(conn, made.organization_id, made.session_id, made.category_quota, 30)
        event = await stream.next_event()
        assert event.id > version
        assert stream.state()["ticket_types"][0]["available"] == 30
        assert stream.state() == await look(client, made)


async def test_what_another_process_or_a_worker_changes_is_found(app: Edge, pool: Pool) -> None:
    """Nobody tells of it here, neither in the process nor through Valkey."""
    made = await make_session(pool, capacity=10)
    office = BoxOffice(pool, system.make_id, SERVER_KEY)
    async with watching(app, made.session_id) as stream:
        version = (await stream.next_event()).id
        await office.place_reservation(made.session_id, wants(made, 4))
        assert (await stream.until(version + 1))[-1].data["ticket_types"][0]["available"] == 6
    await office.close()


async def test_the_end_of_sales_is_told_though_no_version_moves(app: Edge, pool: Pool) -> None:
    made = await make_session(pool, capacity=10)
    async with watching(app, made.session_id) as stream:
        first = await stream.next_event()
        assert first.data["on_sale"] is True
        follower = await streams_of(app).follow(made.session_id)
        follower.note_read(first.id, follower.channel.watched.terms.starts_at, first.id)
        change = await stream.next_event()
    assert change.id == first.id
    assert change.data == {"version": first.id, "on_sale": False}


async def test_what_cannot_be_seen_cannot_be_watched(app: Edge, pool: Pool) -> None:
    draft = await make_session(pool, capacity=10)
    async with transaction(pool, draft.organization_id) as conn:
        await conn.execute("UPDATE events SET status = 'draft' WHERE event_id = $1", draft.event_id)
    for session_id in (uuid4(), draft.session_id):
        async with watching(app, session_id) as stream:
            await stream.until_ended()
        assert (stream.status, body_of(stream)["code"]) == (404, "session_not_found")
    async with watching(app, "what") as stream:
        await stream.until_ended()
    assert (stream.status, body_of(stream)["code"]) == (422, "invalid")
    assert streams_of(app).connection_count == 0


async def test_the_head_alone_ends_at_once(app: Edge, pool: Pool) -> None:
    made = await make_session(pool, capacity=10)
    async with watching(app, made.session_id, method="HEAD") as stream:
        await stream.until_ended()
    assert (stream.status, stream.text) == (200, "")


async def test_a_stream_ends_when_its_time_is_over(resources: Resources, pool: Pool) -> None:
    made = await make_session(pool, capacity=10)
    async with running_app(resources, stream_seconds_max=0.1) as app:
        streams = streams_of(app)
        async with watching(app, made.session_id) as stream:
            await stream.until_ended()
            assert [event.name for event in stream.events] == ["snapshot"]
            await until(lambda: _are(streams, 0))


async def _are(streams: Streams, count: int) -> bool:
    return streams.connection_count == count


async def test_no_more_streams_than_the_process_takes(resources: Resources, pool: Pool) -> None:
    made = await make_session(pool, capacity=10)
    async with running_app(resources, stream_connections_max=2, stream_seconds_max=600) as app:
        async with watching(app, made.session_id) as one, watching(app, made.session_id) as other:
            await one.next_event()
            await other.next_event()
            async with watching(app, made.session_id) as third:
                await third.until_ended()
            assert (third.status, body_of(third)["code"]) == (503, "too_many_streams")
            assert 2 <= int(third.headers["retry-after"]) <= 10
        async with watching(app, made.session_id) as fourth:
            assert (await fourth.next_event()).name == "snapshot"


async def test_no_more_streams_than_an_address_may_have(resources: Resources, pool: Pool) -> None:
    made = await make_session(pool, capacity=10)
    async with (
        running_app(resources, rate_limits=True, stream_connections_by_address_max=1, stream_seconds_max=600) as app,
        watching(app, made.session_id, address="2001:db8::1") as one,
    ):
        await one.next_event()
        async with watching(app, made.session_id, address="2001:db8::2") as neighbour:
            await neighbour.until_ended()
        assert (neighbour.status, body_of(neighbour)["code"]) == (429, "too_many_streams_from_address")
        assert body_of(neighbour)["limit"] == 1
        assert neighbour.headers["retry-after"] == "30"
        async with watching(app, made.session_id, address="2001:db8:0:1::1") as stranger:
            assert (await stranger.next_event()).name == "snapshot"


async def test_a_silent_stream_beats(app: Edge, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await make_session(pool, capacity=10)
    monkeypatch.setattr("fullhouse.realtime.channel.HEARTBEAT_SECONDS", 0.0)
    async with watching(app, made.session_id) as stream:
        await until(lambda: _has(stream.text.endswith("\n\n:\n\n")))
    assert [event.name for event in parse(stream.text)] == ["snapshot"]


async def _has(found: bool) -> bool:
    return found
