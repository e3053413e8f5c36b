"""The cookies of people who are signed in: no script reads them, and no other site sends them along with a form.

Over https their names begin with ``__Host-``, so that no neighbour of this host can set them.
"""

from dataclasses import dataclass
from typing import Literal, cast

from fastapi import Request, Response

from fullhouse.identity.rules import SignInTokens
from fullhouse.infra.resources import Resources

CookieName = Literal["access", "refresh", "form", "next"]
NEXT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Kept:
    """What the answer to a request leaves in the browser; an empty value takes a cookie away."""

    name: CookieName
    value: str
    seconds: int | None = None
    """None: until the browser is closed."""


def read_cookie(request: Request, resources: Resources, name: CookieName) -> str:
    """Return what a cookie holds, or nothing; what this request itself leaves goes before what was sent."""
    for kept in reversed(kept_of(request)):
        if kept.name == name:
            return kept.value
    return request.cookies.get(_full_name(resources, name), "")


def keep_cookie(request: Request, kept: Kept) -> None:
    """Leave a cookie with whatever answers this request."""
    kept_of(request).append(kept)


def keep_tokens(request: Request, tokens: SignInTokens) -> None:
    """Leave the tokens of a sign-in."""
    keep_cookie(request, Kept("access", tokens.access_token, tokens.access_seconds))
    keep_cookie(request, Kept("refresh", tokens.refresh_token, tokens.refresh_seconds))


def drop_tokens(request: Request) -> None:
    """Take the tokens of a sign-in away."""
    keep_cookie(request, Kept("access", ""))
    keep_cookie(request, Kept("refresh", ""))


def kept_of(request: Request) -> list[Kept]:
    """Return what this request leaves so far."""
    if not hasattr(request.state, "kept_cookies"):
        request.state.kept_cookies = list[Kept]()
    return cast("list[Kept]", request.state.kept_cookies)


def write_cookies(request: Request, resources: Resources, response: Response) -> None:
    """Write what the request leaves into its answer."""
    secure = resources.public_url.startswith("https://")
    for kept in kept_of(request):
        response.set_cookie(
            _full_name(resources, kept.name),
            kept.value,
            max_age=kept.seconds if kept.value else 0,
            path="/",
            secure=secure,
            httponly=True,
            samesite="lax",
        )


def _full_name(resources: Resources, name: CookieName) -> str:
    return f"__Host-{name}" if resources.public_url.startswith("https://") else name
