"""Signing in by a provider of identities (OpenID Connect) in a browser."""

from fastapi import APIRouter, Request, Response

from fullhouse.access.accounts.parts import AccountsDep, ClientDep
from fullhouse.access.http import public
from fullhouse.identity.oidc.sign_in_elsewhere import Answer, begin_elsewhere, finish_elsewhere
from fullhouse.identity.rules import (
    EmailUnverified,
    ProviderRefused,
    ProviderUnknownHere,
    ProviderUnreachable,
    SecondFactorNeeded,
    TooManyTries,
)
from fullhouse.infra.http import ResourcesDep
from fullhouse.infra.resources import Resources
from fullhouse.web.pages.account.cookies import read_cookie
from fullhouse.web.pages.account.show import show_page
from fullhouse.web.pages.account.sign_in import finish, show_code, show_sign_in
from fullhouse.web.pages.account.visitor import AccountRoute, read_own_form
from fullhouse.web.pages.language import speaker_of

router = APIRouter(route_class=AccountRoute, include_in_schema=False, dependencies=[public()])


@router.post("/sign-in/with/{provider}")
async def post_elsewhere(request: Request, provider: str, resources: ResourcesDep, accounts: AccountsDep) -> Response:
    """Lead to the provider, by a page of ours: our policy lets no form lead to another site."""
    await read_own_form(request)
    line = accounts.lines.get(provider)
    if line is None:
        raise ProviderUnknownHere
    # Beside the state, the secret of this browser: without it somebody else's answer could be planted here.
    browser = read_cookie(request, resources, "form")
    address = await begin_elsewhere(resources.pool, accounts.means, line, return_address(resources, provider), browser)
    return show_page(request, "sign_in_elsewhere.html", {"address": address, "provider": line.provider.title})


@router.get("/sign-in/with/{provider}/return")
async def get_elsewhere_return(
    request: Request,
    provider: str,
    resources: ResourcesDep,
    accounts: AccountsDep,
    client: ClientDep,
) -> Response:
    """Finish what was begun in this browser: the provider sends it here. It works once."""
    line = accounts.lines.get(provider)
    if line is None:
        raise ProviderUnknownHere
    code, state = (request.query_params.get(name, "")[:2048] for name in ("code", "state"))
    answer = Answer(code, state, read_cookie(request, resources, "form"))
    about = return_address(resources, provider), client
    speak = speaker_of(request)
    try:
        tokens = await finish_elsewhere(resources.pool, accounts.means, line, answer, about)
    except SecondFactorNeeded as needed:
        return show_code(request, str(needed.fields["challenge"]))
    except EmailUnverified as refused:
        text = speak.gettext("The other service has not verified your mail address, so it opens no account here.")
        return show_sign_in(request, accounts, refused=refused, problem=text)
    except (ProviderRefused, ProviderUnreachable) as refused:
        text = speak.gettext("Signing in there did not work. Please try again.")
        return show_sign_in(request, accounts, refused=refused, problem=text)
    except TooManyTries as refused:
        return show_sign_in(request, accounts, refused=refused)
    return finish(request, tokens)


def return_address(resources: Resources, provider: str) -> str:
    """Return where the provider sends the browser back to."""
    return f"{resources.public_url}/sign-in/with/{provider}/return"
