"""Connecting again: at every point of a run, with an id that makes no sense, and after reading nothing for a while."""

import asyncio

import pytest
from harness.stock import MadeSession, make_seated_session, make_session, rectangle
from harness.streams import Event, apply, watching
from harness.web import running_app
from realtime.test_stream_changes import hold, hold_seats, streams_of

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.infra.resources import Resources
from fullhouse.realtime.channel import BEHIND_MAX
from fullhouse.reservations.release_reservation import release_reservation
from fullhouse.web.edge import Edge


async def sell(app: Edge, pool: Pool, made: MadeSession) -> None:
    """Hold seats and give some back, a version each."""
    for row in range(1, 5):
        held = await hold_seats(app, made, f"{row}-1", f"{row}-{row + 1}")
        if row % 2:
            async with transaction(pool, made.organization_id) as conn:
                await release_reservation(conn, system.make_id, made.organization_id, held.reservation_id)


async def test_who_connects_again_at_any_point_ends_at_the_same_state(app: Edge, pool: Pool) -> None:
    made = await make_seated_session(pool, rectangle(5, 8))
    async with watching(app, made.session_id) as stream:
        first = await stream.next_event()
        selling = asyncio.create_task(sell(app, pool, made))
        events = await stream.until(first.id + 6)
        await selling
        final = stream.state()
        for cut in range(1, len(events) + 1):
            await _goes_on(app, made, events[:cut], final)
        # Versions that this client never saw, as if its process had sent other groups of changes.
        for version in range(first.id, first.id + 7):
            async with watching(app, made.session_id, version) as again:
                assert {event.name for event in await again.until(first.id + 6)} == {"change"}


async def _goes_on(app: Edge, made: MadeSession, seen: list[Event], final: dict[str, object]) -> None:
    state = None
    for event in seen:
        state = apply(state, event)
    async with watching(app, made.session_id, seen[-1].id) as again:
        came = await again.until(int(str(final["version"])))
        assert {event.name for event in came} == {"change"}
        assert again.state(state) == final


@pytest.mark.parametrize("last_event_id", ["", "-1", "0", "nonsense", "1" * 400, "٣", "999999999999999999"])
async def test_an_id_that_makes_no_sense_brings_a_snapshot(app: Edge, pool: Pool, last_event_id: str) -> None:
    made = await make_session(pool, capacity=10)
    await hold(app, made)
    async with watching(app, made.session_id, last_event_id) as stream:
        assert (await stream.next_event()).name == "snapshot"
        assert stream.status == 200


async def test_another_process_catches_up_with_what_a_client_has_seen(
    app: Edge, resources: Resources, pool: Pool
) -> None:
    """A client comes from a process that is ahead: ours looks at once, instead of taking the client back in time."""
    made = await make_session(pool, capacity=10)
    async with running_app(resources, stream_seconds_max=600) as other, watching(other, made.session_id) as stream:
        first = await stream.next_event()
        follower = await streams_of(app).follow(made.session_id)
        held = await hold(other, made, 3)
        await stream.until(first.id + 1)
        await streams_of(other).announcer.stop_listening()
        assert held.quantity == 3
        async with watching(app, made.session_id, first.id + 1) as again:
            event = await again.next_event()
            assert (event.id, event.name) == (first.id + 1, "change")
            assert again.state(stream.state()) == stream.state()
        assert follower.channel.version == first.id + 1


async def test_a_slow_reader_is_not_waited_for_and_gets_a_snapshot(
    app: Edge, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fullhouse.realtime.follow_session.COALESCE_SECONDS", 0.0)
    monkeypatch.setattr("fullhouse.realtime.follow_session.PAUSE_SECONDS_MIN", 0.0)
    made = await make_session(pool, capacity=500)
    async with watching(app, made.session_id) as slow, watching(app, made.session_id) as quick:
        first = await quick.next_event()
        await slow.next_event()
        slow.blocked = asyncio.Event()
        for number in range(1, BEHIND_MAX + 4):
            await hold(app, made)
            assert (await quick.until(first.id + number))[-1].id == first.id + number
        sent = slow.sends
        slow.blocked.set()
        await slow.until(quick.events[-1].id)
        # The event at which it was stuck, and one snapshot in place of all that it missed.
        assert [event.name for event in slow.events] == ["snapshot", "change", "snapshot"]
        assert slow.sends == sent + 2
        assert slow.state() == quick.state()


async def test_only_those_who_watch_are_counted(app: Edge, pool: Pool) -> None:
    made = await make_session(pool, capacity=10)
    streams = streams_of(app)
    before = streams.connection_count
    async with watching(app, made.session_id) as one, watching(app, made.session_id) as two:
        await one.next_event()
        await two.next_event()
        channel = (await streams.follow(made.session_id)).channel
        assert (streams.connection_count - before, channel.watcher_count) == (2, 2)
    assert (streams.connection_count, channel.watcher_count) == (before, 0)
