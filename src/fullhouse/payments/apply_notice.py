"""Applying what providers tell: a charge, a refund or a dispute, heard in a notice or read in their books."""

from collections.abc import Awaitable, Callable, Sequence
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
from fullhouse.payments.settle_together import Bought, Heard, sell_bought, settle_together


async def apply_notice(conn: Connection, make_id: MakeId, providers: Providers, message: Message) -> None:
    """Apply what a stored notice says, in the consumer's transaction. Safe to repeat, in any order.

    A notice that is not known to be about any payment yet stays as it is; ``settle_payment`` adopts it.
    """
    await apply_notices(conn, make_id, providers, [message])


Issue = Callable[[Sequence[Bought]], Awaitable[None]]
"""What is done in the transaction with what was bought together, before its stock is locked."""


TOGETHER_MIN = 2
"""What is told of one order alone takes the way on which nothing is taken for granted."""


async def apply_notices(
    conn: Connection, make_id: MakeId, providers: Providers, messages: Sequence[Message], issue: Issue | None = None
) -> None:
    """Apply the notices of several orders of an organization, in one transaction.

    Charges that simply pay for what is held are settled together, in a constant number of statements; whatever else
    is told is settled after them, one by one, under locks that were all taken in order before. Raises
    ``PlacesChanged`` where a reservation ends meanwhile: nothing of the batch is written, and each is applied alone.
    """
    if not messages:
        return
    organization_id = messages[0].organization_id
    told = {UUID(str(message.data["notice_id"])): message for message in messages}
    stored = await load_notices(conn, organization_id, list(told))
    news: list[Heard] = []
    known: list[UUID] = []
    for notice_id, message in told.items():
        notice = stored.get(notice_id)
        if notice is None or notice.payment_id is None:
            continue
        known.append(notice_id)
        read = providers.named(notice.provider).news_in(notice.body)
        if read is not None:
            news.append(Heard(message, notice.payment_id, read))
    if known:
        await mark_applied(conn, organization_id, known)
    left = news if len(news) < TOGETHER_MIN else await _apply_together(conn, make_id, organization_id, news, issue)
    for one in left:
        with in_the_name_of(one.message.request_id):
            await apply_news(conn, make_id, organization_id, one.payment_id, one.news)


async def _apply_together(
    conn: Connection, make_id: MakeId, organization_id: UUID, news: Sequence[Heard], issue: Issue | None
) -> list[Heard]:
    """Settle what is plain, and return the rest, for which all stock is locked by now."""
    settled = await settle_together(conn, make_id, organization_id, news)
    if issue is not None and settled.bought:
        await issue(settled.bought)
    await sell_bought(conn, make_id, organization_id, settled)
    done = {one.payment_id for one in settled.bought}
    return [one for one in news if one.payment_id not in done]


async def apply_news(conn: Connection, make_id: MakeId, organization_id: UUID, payment_id: UUID, news: News) -> None:
    """Settle news of a payment. The higher rank wins, so that any order and any duplication ends the same."""
    if isinstance(news, RefundNews):
        await settle_refund(conn, make_id, organization_id, payment_id, news)
    elif isinstance(news, DisputeNews):
        await settle_dispute(conn, make_id, organization_id, payment_id, news)
    else:
        await settle_payment(conn, make_id, organization_id, payment_id, news)
