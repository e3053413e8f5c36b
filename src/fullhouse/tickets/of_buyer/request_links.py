"""Asking for the links to one's orders by mail: nobody learns whether the address has any."""

from fullhouse.identity.means import Means
from fullhouse.identity.messages import NOBODYS_ID
from fullhouse.identity.rules import Client
from fullhouse.identity.tries import MAIL, ORDER_LINKS
from fullhouse.infra.client_address import network_of
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection, transaction
from fullhouse.tickets.messages import OrderLinksRequested
from fullhouse.tickets.writes import delete_old_link_requests, insert_link_request

KEPT_DAYS = 7
"""A request that could not be served, since no mail server took it, is then forgotten."""


async def request_links(pool: Pool, means: Means, email: str, language: str, client: Client) -> None:
    """Have the links mailed to an address, if it has orders. It costs the same for every address.

    Raises ``TooManyTries``.
    """
    await means.tries.begin((ORDER_LINKS, network_of(client.address)), (MAIL, email.casefold()))
    request_id = means.make_id()
    async with transaction(pool, NOBODYS_ID) as conn:
        await insert_link_request(conn, request_id, email, language)
        await append(conn, means.make_id, [OrderLinksRequested(request_id)])


async def prune_link_requests(pool: Pool) -> int:
    """Forget what was asked for long ago; return how many requests."""
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        return await delete_old_link_requests(conn, KEPT_DAYS)
