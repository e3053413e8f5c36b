"""Several processes: what one sells the others hear through Valkey, and find by themselves while it is away."""

import asyncio
from dataclasses import replace

import pytest
from harness.stock import make_session
from harness.streams import watching
from harness.waiting import until
from harness.web import running_app
from realtime.test_stream_changes import hold, streams_of
from valkey.asyncio import Valkey

from fullhouse.infra import system
from fullhouse.infra.postgres import Pool
from fullhouse.infra.resources import Resources
from fullhouse.realtime.announce_changes import Announcer, channel_name
from fullhouse.web.edge import Edge


async def test_another_process_is_told_through_valkey(
    app: Edge, resources: Resources, pool: Pool, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looks by themselves here."""
    monkeypatch.setattr("fullhouse.realtime.streams.LOOK_SECONDS", 0.0)
    made = await make_session(pool, capacity=10)
    async with running_app(resources, stream_seconds_max=600) as other, watching(other, made.session_id) as stream:
        first = await stream.next_event()
        monkeypatch.setattr("fullhouse.realtime.streams.LOOK_SECONDS", 3600.0)
        looking = streams_of(other)._looking
        assert looking is not None
        looking.cancel()
        await asyncio.wait({looking})

        async def is_heard() -> bool:
            return bool(await valkey.pubsub_numpat())

        await until(is_heard)
        await hold(app, made, 4)
        change = await stream.next_event()
        assert change.id == first.id + 1
        assert change.data["ticket_types"][0]["available"] == 6


async def test_without_valkey_changes_come_too(resources: Resources, pool: Pool) -> None:
    made = await make_session(pool, capacity=10)
    nowhere = Valkey.from_url("unix:///nowhere.sock", socket_connect_timeout=1)
    try:
        without = replace(resources, valkey=nowhere)
        async with (
            running_app(without, stream_seconds_max=600) as one,
            running_app(without, stream_seconds_max=600) as other,
            watching(other, made.session_id) as stream,
        ):
            first = await stream.next_event()
            await hold(one, made, 4)
            assert (await stream.until(first.id + 1))[-1].data["ticket_types"][0]["available"] == 6
    finally:
        await nowhere.aclose()


async def test_what_is_no_announcement_is_passed_over(valkey: Valkey) -> None:
    heard: list[tuple[object, int]] = []
    announcer = Announcer(valkey, system.now, lambda session_id, version: heard.append((session_id, version)))
    announcer.listen()
    session_id = system.make_id()

    async def sent() -> bool:
        """Say it until somebody listens."""
        return bool(await valkey.publish(channel_name(session_id), 7))

    for name, text in (("{session:what}:changes", "1"), (channel_name(session_id), "seven")):
        await until(lambda name=name, text=text: valkey.publish(name, text))
    await until(sent)

    async def came() -> bool:
        return bool(heard)

    await until(came)
    await announcer.close()
    assert set(heard) == {(session_id, 7)}


async def test_announcements_within_a_moment_are_one(valkey: Valkey) -> None:
    sender = Announcer(valkey, system.now, lambda _session_id, _version: None)
    session_id = system.make_id()
    async with valkey.pubsub(ignore_subscribe_messages=True) as heard:
        await heard.subscribe(channel_name(session_id))
        await heard.get_message(timeout=5)
        for version in range(1, 50):
            sender.note(session_id, version)
        await sender.close()
        messages = [await heard.get_message(timeout=5)]
    assert [message["data"] for message in messages if message] == [b"49"]


async def test_it_stops_listening_at_whatever_point_it_is(valkey_url: str) -> None:
    """Also in the middle of connecting, where the client takes a cancellation for something else."""
    client = Valkey.from_url(valkey_url, socket_connect_timeout=2, socket_timeout=2)
    for turns in range(40):
        announcer = Announcer(client, system.now, lambda _session_id, _version: None)
        announcer.listen()
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await announcer.close()
    await client.aclose()
