"""Receiving a provider's notice: verified, stored once, answered at once; a worker applies it."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.directory import find_organizations
from fullhouse.infra.outbox import Cause, Told, append_many, this_cause
from fullhouse.infra.postgres import Connection, Pool, connection, transaction
from fullhouse.payments.messages import NoticeReceived
from fullhouse.payments.notice_writes import Received, insert_notice, insert_notices_and_tell
from fullhouse.payments.providers.port import Notice, Provider, SentNotice
from fullhouse.payments.queries import find_payment_of_capture, load_named_payments

NOTICE_BYTES_MAX = 256 * 1024


async def receive_webhook(
    pool: Pool, make_id: MakeId, provider: tuple[str, Provider], sent: SentNotice, now: datetime
) -> bool:
    """Verify a notice over its raw bytes and store it, once. True: it was new and will be applied.

    A notice about no payment that we know is not stored, and not refused: the provider would only send it again. One
    that names money by the provider's own name alone is stored, and applied when that name is known. Raises
    ``NoticeRefused``.
    """
    return await receive_webhooks(pool, make_id, provider, [sent], now) == 1


async def receive_webhooks(
    pool: Pool, make_id: MakeId, provider: tuple[str, Provider], sent: Sequence[SentNotice], now: datetime
) -> int:
    """Receive several notices in the same way, all or none; return how many were new and will be applied."""
    read = [(one, notice) for one in sent if (notice := await provider[1].read_notice(one, now)) is not None]
    named = [notice.payment_id for one, notice in read if one.organization_id is None and notice.payment_id is not None]
    owners = await find_organizations(pool, "payment", named)
    of_organization: defaultdict[UUID, list[_Read]] = defaultdict(list)
    for one, notice in read:
        organization_id = one.organization_id or (owners.get(notice.payment_id) if notice.payment_id else None)
        if organization_id is not None:
            of_organization[organization_id].append((notice, one.cause or this_cause()))
    count = 0
    for organization_id, mine in of_organization.items():
        count += await _store(pool, make_id, provider[0], organization_id, mine)
    return count


_Read = tuple[Notice, Cause]


async def _store(pool: Pool, make_id: MakeId, name: str, organization_id: UUID, read: Sequence[_Read]) -> int:
    """Store what an organization was told: what names payments in one statement, the rest one by one."""
    count = 0
    about = [(notice, cause, notice.payment_id) for notice, cause in read if notice.payment_id is not None]
    if about:
        async with connection(pool, organization_id) as conn:
            payments = await load_named_payments(conn, organization_id, [payment_id for _, _, payment_id in about])
            received = [
                Received(notice, NoticeReceived(organization_id, payment.order_id, make_id()), cause)
                for notice, cause, payment_id in about
                if (payment := payments.get(payment_id)) is not None and payment.provider == name
            ]
            if received:
                count += len(await insert_notices_and_tell(conn, make_id, organization_id, name, received))
    for notice, cause in read:
        if notice.payment_id is None:
            async with transaction(pool, organization_id) as conn:
                count += await _store_of_capture(conn, make_id, name, organization_id, (notice, cause))
    return count


async def _store_of_capture(conn: Connection, make_id: MakeId, name: str, organization_id: UUID, read: _Read) -> bool:
    notice, cause = read
    payment = await find_payment_of_capture(conn, organization_id, name, notice.capture_reference or "")
    notice_id = make_id()
    about = (organization_id, payment.payment_id if payment else None)
    new = await insert_notice(conn, notice_id, name, notice, about)
    if new and payment is not None:
        await append_many(conn, make_id, [Told(NoticeReceived(organization_id, payment.order_id, notice_id), *cause)])
    return new
