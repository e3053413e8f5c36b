"""The one table of routers, and the rule that each of their routes declares who may call it."""

import re
from collections.abc import Iterator, Sequence

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from fullhouse.access import api as access_api
from fullhouse.access.http import Declaration, HolderAccess, HolderOrMemberAccess, MemberAccess, PublicAccess
from fullhouse.reservations import api as reservations_api
from fullhouse.seating import api as seating_api

API_PREFIX = "/api/v1"

API_ROUTERS: Sequence[APIRouter] = (access_api.router, seating_api.router, reservations_api.router)
"""In the order of the sale. Each feature's routes stand under ``/api/v1``."""

_DECLARING = (PublicAccess, HolderAccess, MemberAccess, HolderOrMemberAccess)


class RouteUndeclared(RuntimeError):
    """A route says nothing about who may call it, or says it twice."""


def routes_of(routers: Sequence[APIRouter]) -> Iterator[APIRoute]:
    """Go through the routes of routers."""
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                yield route


def declaration_of(route: APIRoute) -> Declaration:
    """Return what a route declares. Raises ``RouteUndeclared`` unless it is exactly one thing."""
    found = list(_declarations(route.dependant))
    if len(found) != 1:
        methods = "/".join(sorted(route.methods or ()))
        raise RouteUndeclared(f"{methods} {route.path} declares {len(found)} permissions; it must declare one")
    return found[0]


def check_declarations(routers: Sequence[APIRouter]) -> None:
    """Refuse to go on if a route does not declare who may call it, or is no route that could."""
    for router in routers:
        for route in router.routes:
            if not isinstance(route, APIRoute):
                raise RouteUndeclared(f"{route!r} cannot declare a permission")
            declaration_of(route)


def allowed_methods(routes: Sequence[tuple[str, APIRoute]], path: str) -> list[str]:
    """Return the methods that a path takes; routes are given with the prefix under which they stand."""
    allowed: set[str] = set()
    for prefix, route in routes:
        if path.startswith(prefix) and re.match(route.path_regex, path.removeprefix(prefix)):
            allowed |= set(route.methods or ())
    return sorted(allowed | ({"HEAD"} if "GET" in allowed else set()))


def _declarations(dependant: Dependant) -> Iterator[Declaration]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, _DECLARING):
            yield dependency.call.declaration
        yield from _declarations(dependency)
