"""Receiving a provider's notice: verified, stored once, answered at once; a worker applies it."""

from datetime import datetime
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.directory import find_organization
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Pool, connection, transaction
from fullhouse.payments.messages import NoticeReceived
from fullhouse.payments.notice_writes import insert_notice, insert_notice_and_tell
from fullhouse.payments.providers.port import Notice, Provider, SentNotice
from fullhouse.payments.queries import find_payment_of_capture, load_payment

NOTICE_BYTES_MAX = 256 * 1024


async def receive_webhook(
    pool: Pool, make_id: MakeId, provider: tuple[str, Provider], sent: SentNotice, now: datetime
) -> bool:
    """Verify a notice over its raw bytes and store it, once. True: it was new and will be applied.

    A notice about no payment that we know is not stored, and not refused: the provider would only send it again. One
    that names money by the provider's own name alone is stored, and applied when that name is known. Raises
    ``NoticeRefused``.
    """
    name, port = provider
    notice = await port.read_notice(sent, now)
    if notice is None:
        return False
    organization_id = sent.organization_id or await _organization_of(pool, notice)
    if organization_id is None:
        return False
    if notice.payment_id is not None:
        async with connection(pool, organization_id) as conn:
            payment = await load_payment(conn, organization_id, notice.payment_id)
            if payment is None or payment.provider != name:
                return False
            received = NoticeReceived(organization_id, payment.order_id, make_id())
            return await insert_notice_and_tell(conn, make_id, name, notice, received)
    async with transaction(pool, organization_id) as conn:
        payment = await find_payment_of_capture(conn, organization_id, name, notice.capture_reference or "")
        notice_id = make_id()
        about = (organization_id, payment.payment_id if payment else None)
        new = await insert_notice(conn, notice_id, name, notice, about)
        if new and payment is not None:
            await append(conn, make_id, [NoticeReceived(organization_id, payment.order_id, notice_id)])
        return new


async def _organization_of(pool: Pool, notice: Notice) -> UUID | None:
    return await find_organization(pool, "payment", notice.payment_id) if notice.payment_id else None
