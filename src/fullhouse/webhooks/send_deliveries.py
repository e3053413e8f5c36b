"""Sending: deliveries that are due are claimed, posted and counted, many at a time and few to one receiver.

A delivery is leased for longer than an attempt can take. A process that dies leaves its leases to run out; then others
send again what it had in hand, which receivers tell by ``webhook-id``. Nothing is held in the database meanwhile.
"""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from fullhouse.core.clock import Clock, Randomness
from fullhouse.core.errors import DomainError
from fullhouse.core.ids import MakeId
from fullhouse.infra.outgoing import Outside
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, transaction
from fullhouse.infra.telemetry import get_log
from fullhouse.webhooks.post_message import SECONDS_MAX, post_message
from fullhouse.webhooks.rules import Outcome, after_attempt
from fullhouse.webhooks.signature import derive_webhook_secret, signature_headers
from fullhouse.webhooks.writes import (
    Claimed,
    claim_deliveries,
    disable_endpoint,
    end_attempt,
    lock_claimed,
    note_outcome,
)

IN_FLIGHT_MAX = 100
"""Attempts of one process at a time."""

PER_ENDPOINT_MAX = 4
"""Attempts at one receiver at a time, of all processes; one while it fails."""

LEASE_SECONDS = 3 * SECONDS_MAX
POLL_SECONDS = 0.5

_log = get_log("fullhouse.webhooks")


@dataclass(frozen=True, slots=True)
class Means:
    """What a process sends with."""

    clock: Clock
    make_id: MakeId
    randomness: Randomness
    server_key: bytes
    outside: Outside
    allow_private: bool = False


class Sender:
    """Sends in one process; as many as you like may run."""

    def __init__(self, pool: Pool, means: Means, *, in_flight_max: int = IN_FLIGHT_MAX) -> None:
        """Take what it needs; ``run_until`` does the work."""
        self._pool = pool
        self._means = means
        self._in_flight_max = in_flight_max
        self._busy: set[asyncio.Task[None]] = set()

    async def run_until(self, stop: asyncio.Event) -> None:
        """Send until ``stop`` is set, then finish what is on its way. A cancellation gives it up."""
        stopped = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                await self.start_due()
                waits = {stopped, *self._busy}
                await asyncio.wait(waits, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.gather(*self._busy)
        finally:
            for task in (stopped, *self._busy):
                task.cancel()
            await asyncio.gather(stopped, *self._busy, return_exceptions=True)

    async def start_due(self) -> int:
        """Claim what is due, as far as there is room, and begin to send it; return how many."""
        free = self._in_flight_max - len(self._busy)
        if free <= 0:
            return 0
        token = self._means.make_id()
        async with transaction(self._pool, EVERY_ORGANIZATION) as conn:
            claimed = await claim_deliveries(
                conn, token, count_max=free, per_endpoint_max=PER_ENDPOINT_MAX, lease_seconds=LEASE_SECONDS
            )
        for one in claimed:
            task = asyncio.create_task(self._send(one, token), name=f"webhook:{one.delivery_id}")
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
        return len(claimed)

    async def send_due(self) -> int:
        """Send what is due now, once each; return how many that were."""
        count = await self.start_due()
        await asyncio.gather(*self._busy)
        return count

    async def _send(self, claimed: Claimed, token: UUID) -> None:
        outcome = await self._post(claimed)
        try:
            await count_attempt(self._pool, self._means, claimed, token, outcome)
        except DomainError as error:
            # The lease runs out, and the message is sent again.
            _log.warning("webhook_not_counted", delivery_id=str(claimed.delivery_id), reason=str(error))

    async def _post(self, claimed: Claimed) -> Outcome:
        means = self._means
        numbers = [claimed.secret_number, claimed.secret_number - 1][: 2 if claimed.both_secrets else 1]
        secrets = [derive_webhook_secret(means.server_key, claimed.endpoint_id, number) for number in numbers]
        body = claimed.body.encode()
        headers = signature_headers(secrets, str(claimed.message_id), int(means.clock().timestamp()), body)
        return await post_message(means.outside, claimed.url, headers, body, allow_private=means.allow_private)


async def count_attempt(pool: Pool, means: Means, claimed: Claimed, token: UUID, outcome: Outcome) -> None:
    """Write down an attempt and what follows from it, unless its lease was lost meanwhile."""
    async with transaction(pool, claimed.organization_id) as conn:
        standing = await lock_claimed(conn, claimed, token)
        if standing is None:
            return
        decision = after_attempt(standing, outcome, int.from_bytes(means.randomness(2), "big") / 0xFFFF)
        await end_attempt(conn, claimed, means.make_id(), outcome, decision)
        if not standing.is_test:
            await note_outcome(conn, claimed.organization_id, claimed.endpoint_id, is_success=outcome.is_success)
        if decision.disable is not None:
            await disable_endpoint(conn, claimed.organization_id, claimed.endpoint_id, decision.disable)
    if decision.disable is not None:
        _log.warning("webhook_disabled", endpoint_id=str(claimed.endpoint_id), reason=decision.disable.value)
