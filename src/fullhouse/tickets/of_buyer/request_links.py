"""Asking for the links to one's orders by mail: nobody learns whether the address has any."""

from fullhouse.identity.means import Means
from fullhouse.identity.messages import NOBODYS_ID
from fullhouse.identity.rules import Client
from fullhouse.identity.tries import MAIL, ORDER_LINKS
from fullhouse.infra.client_address import network_of
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.tickets.messages import OrderLinksRequested
from fullhouse.tickets.writes import insert_link_request


async def request_links(pool: Pool, means: Means, email: str, language: str, client: Client) -> None:
    """Have the links mailed to an address, if it has orders. It costs the same for every address.

    Raises ``TooManyTries``.
    """
    await means.tries.begin((ORDER_LINKS, network_of(client.address)), (MAIL, email.casefold()))
    request_id = means.make_id()
    async with transaction(pool, NOBODYS_ID) as conn:
        await insert_link_request(conn, request_id, email, language)
        await append(conn, means.make_id, [OrderLinksRequested(request_id)])
