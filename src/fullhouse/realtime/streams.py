"""The streams of one process: which sessions are followed, for whom, and how many streams there may be."""

import asyncio
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

from valkey.asyncio import Valkey

from fullhouse.core.clock import Clock, Randomness
from fullhouse.events.rules import SessionNotFound
from fullhouse.infra.client_address import network_of
from fullhouse.infra.directory import find_organization
from fullhouse.infra.postgres import Pool, connection
from fullhouse.infra.shared_work import SharedWork
from fullhouse.infra.telemetry import gauge, get_log
from fullhouse.realtime import queries
from fullhouse.realtime.announce_changes import Announcer
from fullhouse.realtime.follow_session import NOT_FOUND, Follower
from fullhouse.realtime.ring import KEPT_SECONDS
from fullhouse.realtime.rules import StreamLimits, TooManyStreams, TooManyStreamsFromAddress

LOOK_SECONDS = 1.0
"""How often the versions are looked up: so late at most is what nobody tells."""
IDLE_MAX = 500
"""So many sessions that nobody watches any more are followed still, so that who comes back can go on."""

_log = get_log("realtime")

CONNECTIONS = gauge("stream_connections", "Connections to which changes of sessions are sent.")
SESSIONS = gauge("stream_sessions", "Sessions that are followed to tell of their changes.")


class Streams:
    """Knows the sessions that somebody watches. One for each process."""

    def __init__(
        self, pool: Pool, valkey: Valkey, clock: Clock, randomness: Randomness, limits: StreamLimits | None = None
    ) -> None:
        """Begin with nobody watching."""
        self.limits = limits or StreamLimits()
        self.announcer = Announcer(valkey, clock, self._note)
        self.is_closing = False
        self._pool = pool
        self._randomness = randomness
        self._followers: OrderedDict[UUID, Follower] = OrderedDict()
        self._opening = SharedWork[UUID, Follower]("open stream")
        self._by_address: Counter[str] = Counter()
        self._count = 0
        self._looking: asyncio.Task[None] | None = None

    @property
    def connection_count(self) -> int:
        """How many streams there are."""
        return self._count

    def share(self) -> float:
        """Return a number from 0 up to 1, so that not everybody does the same thing at the same time."""
        return int.from_bytes(self._randomness(4)) / 2**32

    @contextmanager
    def admitted(self, client: str) -> Generator[None]:
        """Count a stream to an address. Raises ``TooManyStreams`` and ``TooManyStreamsFromAddress``."""
        network, limits = network_of(client), self.limits
        if self.is_closing or self._count >= limits.connections_max:
            raise TooManyStreams(retry_after_seconds=2 + round(8 * self.share()))
        if limits.by_address_max is not None and self._by_address[network] >= limits.by_address_max:
            raise TooManyStreamsFromAddress(retry_after_seconds=30, limit=limits.by_address_max)
        self._count += 1
        self._by_address[network] += 1
        CONNECTIONS.inc()
        try:
            yield
        finally:
            CONNECTIONS.dec()
            self._count -= 1
            self._by_address[network] -= 1
            if not self._by_address[network]:
                del self._by_address[network]

    async def follow(self, session_id: UUID) -> Follower:
        """Return what follows a session; many who ask at once load it once. Raises ``SessionNotFound``."""
        follower = self._followers.get(session_id)
        if follower is not None and not follower.channel.ended:
            self._followers.move_to_end(session_id)
            return follower
        return await self._opening.get(session_id, partial(self._open, session_id))

    async def close(self) -> None:
        """Send everybody away, who then connect elsewhere, and take nobody any more."""
        self.is_closing = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        await self._opening.settle()
        await asyncio.gather(*(follower.close() for follower in self._followers.values()))
        self._followers.clear()
        SESSIONS.set(0)
        await self.announcer.close()

    async def _open(self, session_id: UUID) -> Follower:
        organization_id = await find_organization(self._pool, "session", session_id)
        if organization_id is None:
            raise SessionNotFound
        follower = Follower(self._pool, organization_id, session_id)
        try:
            await follower.open()
        except NOT_FOUND as missing:
            raise SessionNotFound from missing
        self._followers[session_id] = follower
        SESSIONS.set(len(self._followers))
        if self._looking is None:
            self.announcer.listen()
            self._looking = asyncio.create_task(self._look_again_and_again(), name="look for changes")
        return follower

    def _note(self, session_id: UUID, version: int) -> None:
        follower = self._followers.get(session_id)
        if follower is not None:
            follower.note(version)

    async def _look_again_and_again(self) -> None:
        """Look how far the followed sessions are, until there are none."""
        while self._followers:
            await asyncio.sleep(LOOK_SECONDS)
            await self._close_idle()
            for organization_id, followers in self._by_organization().items():
                try:
                    await self._look(organization_id, followers)
                except Exception as error:  # noqa: BLE001 (a second later it may be well again)
                    _log.warning("stream_cannot_look", error=repr(error))
        # Nothing is awaited between, so that who opens a session now begins anew.
        self._looking = None
        await self.announcer.stop_listening()

    async def _look(self, organization_id: UUID, followers: list[Follower]) -> None:
        shown = [(one, one.channel.version) for one in followers]
        async with connection(self._pool, organization_id) as conn:
            versions, now = await queries.load_versions(conn, organization_id, [one.session_id for one in followers])
        for follower, version in shown:
            follower.note_read(versions.get(follower.session_id), now, version)

    def _by_organization(self) -> dict[UUID, list[Follower]]:
        grouped: dict[UUID, list[Follower]] = defaultdict(list)
        for follower in self._followers.values():
            grouped[follower.organization_id].append(follower)
        return grouped

    async def _close_idle(self) -> None:
        """Follow no more what nobody has watched for a minute, or what has ended."""
        now = asyncio.get_running_loop().time()
        idle = [one for one in self._followers.values() if not one.channel.watcher_count]
        excess = len(idle) - IDLE_MAX
        for position, one in enumerate(idle):
            if position < excess or one.channel.ended or now - one.channel.idle_since > KEPT_SECONDS:
                del self._followers[one.session_id]
                await one.close()
        SESSIONS.set(len(self._followers))
