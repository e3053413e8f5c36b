"""Receiving a provider's notice: verified, stored once, answered at once; a worker applies it."""

from collections.abc import Mapping
from datetime import datetime

from fullhouse.core.ids import MakeId
from fullhouse.infra.directory import find_organization
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.payments.messages import NoticeReceived
from fullhouse.payments.providers.port import Provider
from fullhouse.payments.queries import load_payment
from fullhouse.payments.writes import insert_notice

NOTICE_BYTES_MAX = 256 * 1024


async def receive_webhook(
    pool: Pool,
    make_id: MakeId,
    provider: tuple[str, Provider],
    raw: bytes,
    headers: Mapping[str, str],
    now: datetime,
) -> bool:
    """Verify a notice over its raw bytes and store it, once. True: it was new and will be applied.

    ``headers`` have names in lower case. A notice about nothing that we know is not stored, and not refused:
    the provider would only send it again. Raises ``NoticeRefused``.
    """
    name, port = provider
    notice = port.read_notice(raw, headers, now)
    if notice is None:
        return False
    organization_id = await find_organization(pool, "payment", notice.payment_id)
    if organization_id is None:
        return False
    async with transaction(pool, organization_id) as conn:
        payment = await load_payment(conn, organization_id, notice.payment_id)
        if payment is None or payment.provider != name:
            return False
        notice_id = make_id()
        new = await insert_notice(conn, organization_id, notice_id, name, notice)
        if new:
            await append(conn, make_id, [NoticeReceived(organization_id, payment.order_id, notice_id)])
        return new
