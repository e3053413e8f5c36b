"""Having the links to one's orders mailed: for who bought without an account, and lost the mail."""

from fastapi import APIRouter, Request, Response

from fullhouse.access.accounts.parts import AccountsDep, ClientDep
from fullhouse.access.http import public
from fullhouse.core.errors import Invalid
from fullhouse.identity.rules import TooManyTries
from fullhouse.infra.http import ResourcesDep
from fullhouse.orders.rules import check_contact
from fullhouse.tickets.of_buyer.request_links import request_links
from fullhouse.web.pages.account.show import show_done, show_page
from fullhouse.web.pages.account.visitor import AccountRoute, read_own_form
from fullhouse.web.pages.language import speaker_of

router = APIRouter(route_class=AccountRoute, include_in_schema=False, dependencies=[public()])


@router.get("/orders/links")
async def get_find_orders(request: Request) -> Response:
    """Show the form."""
    return show_page(request, "find_orders.html", {"email": ""})


@router.post("/orders/links")
async def post_find_orders(
    request: Request, resources: ResourcesDep, accounts: AccountsDep, client: ClientDep
) -> Response:
    """Have the links mailed, if the address has orders. The answer is the same if not."""
    fields = await read_own_form(request)
    speak = speaker_of(request)
    email = fields.get("email", "").strip()[:255]
    try:
        contact = check_contact(email, "")
        await request_links(resources.pool, accounts.means, contact.email, speak.language, client)
    except (Invalid, TooManyTries) as refused:
        return show_page(request, "find_orders.html", {"email": email}, None, refused)
    text = speak.gettext("If something was ordered with this address, a mail with the links is on its way to it.")
    return show_done(request, speak.gettext("Look into your mailbox"), text)
