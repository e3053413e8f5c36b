"""Delivering the notices of the simulated provider, in the way that those of a real one come in."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection
from fullhouse.payments.providers.port import Providers, SentNotice
from fullhouse.payments.providers.simulated import SIMULATED, SimulatedProvider
from fullhouse.payments.providers.simulated_books import due_charges, mark_notified
from fullhouse.payments.receive_webhook import receive_webhook

NOTICES_PER_RUN_MAX = 100


async def deliver_simulated_notices(
    pool: Pool,
    make_id: MakeId,
    providers: Providers,
    *,
    organization_id: UUID | None = None,
    payment_id: UUID | None = None,
) -> int:
    """Hand the due notices, all or those of an organization's payment, to ``receive_webhook``. Returns how many.

    Where the simulated provider is not offered nothing is done. A process that dies in between delivers the same
    notice again, under the same id.
    """
    provider = providers.by_name.get(SIMULATED)
    if not isinstance(provider, SimulatedProvider):
        return 0
    async with connection(pool, organization_id or EVERY_ORGANIZATION) as conn:
        due = await due_charges(conn, payment_id, NOTICES_PER_RUN_MAX)
    for row in due:
        raw, headers = provider.write_notice(row)
        await receive_webhook(pool, make_id, (SIMULATED, provider), SentNotice(raw, headers), provider.clock())
        async with connection(pool, row["organization_id"]) as conn:
            await mark_notified(conn, row["organization_id"], row["reference"])
    return len(due)
