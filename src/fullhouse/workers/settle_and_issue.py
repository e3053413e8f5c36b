"""Settling what several buyers paid, and issuing their tickets and receipts in the same transaction."""

from collections.abc import Sequence

from fullhouse.core.ids import MakeId
from fullhouse.core.message import Message
from fullhouse.infra.postgres import Connection
from fullhouse.payments.apply_notice import apply_notices
from fullhouse.payments.providers.port import Providers
from fullhouse.payments.settle_together import Bought
from fullhouse.receipts.issue_receipt import issue_receipts_of_bought
from fullhouse.tickets.issue_tickets import issue_bought


async def settle_and_issue(
    conn: Connection, make_id: MakeId, providers: Providers, server_key: bytes, messages: Sequence[Message]
) -> None:
    """Apply what providers told us about orders of one organization: payments, orders and their places follow.

    What is plainly bought by several at once has its tickets and receipts in the transaction that pays for it. That
    spares two queues, in which nothing else could happen to it. What is bought by one alone, or is not plain, has them
    by the reactions to ``order.paid``, so that money which has come is written down whatever stands in their way.
    """

    async def issue(bought: Sequence[Bought]) -> None:
        organization_id = messages[0].organization_id
        await issue_bought(conn, make_id, server_key, organization_id, bought)
        await issue_receipts_of_bought(conn, make_id, organization_id, bought)

    await apply_notices(conn, make_id, providers, messages, issue)
