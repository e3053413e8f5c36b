"""Applying what providers tell: a charge, a refund or a dispute, heard in a notice or read in their books."""

from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.core.message import Message
from fullhouse.infra.postgres import Connection
from fullhouse.payments.news import DisputeNews, News, RefundNews
from fullhouse.payments.notice_writes import mark_applied
from fullhouse.payments.providers.port import Providers
from fullhouse.payments.queries import load_notice
from fullhouse.payments.settle_dispute import settle_dispute
from fullhouse.payments.settle_payment import settle_payment
from fullhouse.payments.settle_refund import settle_refund


async def apply_notice(conn: Connection, make_id: MakeId, providers: Providers, message: Message) -> None:
    """Apply what a stored notice says, in the consumer's transaction. Safe to repeat, in any order.

    A notice that is not known to be about any payment yet stays as it is; ``settle_payment`` adopts it.
    """
    notice_id = UUID(str(message.data["notice_id"]))
    stored = await load_notice(conn, message.organization_id, notice_id)
    if stored is None or stored.payment_id is None:
        return
    news = providers.named(stored.provider).news_in(stored.body)
    if news is not None:
        await apply_news(conn, make_id, message.organization_id, stored.payment_id, news)
    await mark_applied(conn, message.organization_id, notice_id)


async def apply_news(conn: Connection, make_id: MakeId, organization_id: UUID, payment_id: UUID, news: News) -> None:
    """Settle news of a payment. The higher rank wins, so that any order and any duplication ends the same."""
    if isinstance(news, RefundNews):
        await settle_refund(conn, make_id, organization_id, payment_id, news)
    elif isinstance(news, DisputeNews):
        await settle_dispute(conn, make_id, organization_id, payment_id, news)
    else:
        await settle_payment(conn, make_id, organization_id, payment_id, news)
