"""Applying what providers tell: a charge, a refund or a dispute, heard in a notice or read in their books."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.core.message import Message
from fullhouse.infra.outbox import in_the_name_of
from fullhouse.infra.postgres import Connection
from fullhouse.payments.news import DisputeNews, News, RefundNews
from fullhouse.payments.notice_writes import mark_applied
from fullhouse.payments.providers.port import Providers
from fullhouse.payments.queries import load_notices
from fullhouse.payments.settle_dispute import settle_dispute
from fullhouse.payments.settle_payment import settle_payment
from fullhouse.payments.settle_refund import settle_refund
from fullhouse.payments.settle_together import Bought, Heard, settle_together


async def apply_notice(conn: Connection, make_id: MakeId, providers: Providers, message: Message) -> None:
    """Apply what a stored notice says, in the consumer's transaction. Safe to repeat, in any order.

    A notice that is not known to be about any payment yet stays as it is; ``settle_payment`` adopts it.
    """
    await apply_notices(conn, make_id, providers, [message])


async def apply_notices(
    conn: Connection, make_id: MakeId, providers: Providers, messages: Sequence[Message]
) -> list[Bought]:
    """Apply the notices of several orders of an organization, in one transaction. Returns what was bought together.

    Charges that simply pay for what is held are settled together, in a constant number of statements; whatever else
    is told is settled after them, one by one, under locks that were all taken in order before.
    """
    if not messages:
        return []
    bought: list[Bought] = []
    organization_id = messages[0].organization_id
    told = {UUID(str(message.data["notice_id"])): message for message in messages}
    stored = await load_notices(conn, organization_id, list(told))
    news: list[tuple[UUID, Message, News]] = []
    known: list[UUID] = []
    for notice_id, message in told.items():
        notice = stored.get(notice_id)
        if notice is None or notice.payment_id is None:
            continue
        known.append(notice_id)
        read = providers.named(notice.provider).news_in(notice.body)
        if read is not None:
            news.append((notice.payment_id, message, read))
    if len(news) > 1:
        heard = [Heard(message, payment_id, one) for payment_id, message, one in news]
        bought = await settle_together(conn, make_id, organization_id, heard)
        settled = {one.payment_id for one in bought}
        news = [one for one in news if one[0] not in settled]
    for payment_id, message, one in news:
        with in_the_name_of(message.request_id):
            await apply_news(conn, make_id, organization_id, payment_id, one)
    if known:
        await mark_applied(conn, organization_id, known)
    return bought


async def apply_news(conn: Connection, make_id: MakeId, organization_id: UUID, payment_id: UUID, news: News) -> None:
    """Settle news of a payment. The higher rank wins, so that any order and any duplication ends the same."""
    if isinstance(news, RefundNews):
        await settle_refund(conn, make_id, organization_id, payment_id, news)
    elif isinstance(news, DisputeNews):
        await settle_dispute(conn, make_id, organization_id, payment_id, news)
    else:
        await settle_payment(conn, make_id, organization_id, payment_id, news)
