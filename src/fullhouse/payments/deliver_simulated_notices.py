"""Delivering the notices of the simulated provider, in the way that those of a real one come in."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.outbox import Cause
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, Record, connection
from fullhouse.payments.providers.port import Providers, SentNotice
from fullhouse.payments.providers.simulated import SIMULATED, SimulatedProvider
from fullhouse.payments.providers.simulated_books import due_charges, due_charges_of, mark_notified
from fullhouse.payments.receive_webhook import receive_webhooks

NOTICES_PER_RUN_MAX = 100


async def deliver_simulated_notices(pool: Pool, make_id: MakeId, providers: Providers) -> int:
    """Hand all due notices to ``receive_webhooks``. Returns how many.

    Where the simulated provider is not offered nothing is done. A process that dies in between delivers the same
    notice again, under the same id.
    """
    provider = _simulated(providers)
    if provider is None:
        return 0
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        due = await due_charges(conn, NOTICES_PER_RUN_MAX)
    for organization_id, rows in _by_organization(due).items():
        await _deliver(pool, make_id, provider, organization_id, [(row, None) for row in rows])
    return len(due)


async def deliver_notices_of(
    pool: Pool, make_id: MakeId, providers: Providers, organization_id: UUID, started: Mapping[str, Cause]
) -> int:
    """Do the same for those of an organization that were started with some keys, in the name of who started each."""
    provider = _simulated(providers)
    if provider is None:
        return 0
    async with connection(pool, organization_id) as conn:
        due = await due_charges_of(conn, organization_id, list(started))
    if due:
        causes = [(row, started[row["provider_key"]]) for row in due]
        await _deliver(pool, make_id, provider, organization_id, causes)
    return len(due)


def _simulated(providers: Providers) -> SimulatedProvider | None:
    provider = providers.by_name.get(SIMULATED)
    return provider if isinstance(provider, SimulatedProvider) else None


def _by_organization(rows: Sequence[Record]) -> Mapping[UUID, Sequence[Record]]:
    found: defaultdict[UUID, list[Record]] = defaultdict(list)
    for row in rows:
        found[row["organization_id"]].append(row)
    return found


async def _deliver(
    pool: Pool,
    make_id: MakeId,
    provider: SimulatedProvider,
    organization_id: UUID,
    due: Sequence[tuple[Record, Cause | None]],
) -> None:
    sent = [SentNotice(*provider.write_notice(row), cause=cause) for row, cause in due]
    await receive_webhooks(pool, make_id, (SIMULATED, provider), sent, provider.clock())
    async with connection(pool, organization_id) as conn:
        await mark_notified(conn, organization_id, [row["reference"] for row, _ in due])
