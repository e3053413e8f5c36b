"""The one table of routers, and the rule that each of their routes declares who may call it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from fullhouse.access import accounts, audit_log_api
from fullhouse.access import api as access_api
from fullhouse.access.http import DECLARING, Declaration
from fullhouse.access.ownership import THINGS
from fullhouse.admission import api as admission_api
from fullhouse.aftersales import api as aftersales_api
from fullhouse.aftersales import session_refunds_api
from fullhouse.aftersales.moves import api as moves_api
from fullhouse.catalogue import api as catalogue_api
from fullhouse.orders import api as orders_api
from fullhouse.orders import gift_api
from fullhouse.payments import api as payments_api
from fullhouse.payments import provider_api as payment_providers_api
from fullhouse.payments.cases import api as money_cases_api
from fullhouse.privacy import api as privacy_api
from fullhouse.realtime import api as realtime_api
from fullhouse.receipts import api as receipts_api
from fullhouse.reports import api as reports_api
from fullhouse.reservations import api as reservations_api
from fullhouse.reservations.allocations import api as allocations_api
from fullhouse.seating import api as seating_api
from fullhouse.tickets import api as tickets_api
from fullhouse.tickets.of_buyer import api as buyers_api
from fullhouse.webhooks import api as webhooks_api

API_ROUTERS: Sequence[APIRouter] = (
    *accounts.ROUTERS,
    access_api.router,
    audit_log_api.router,
    seating_api.router,
    catalogue_api.router,
    realtime_api.router,
    reservations_api.router,
    allocations_api.router,
    orders_api.router,
    gift_api.router,
    tickets_api.router,
    buyers_api.router,
    payments_api.router,
    payment_providers_api.router,
    money_cases_api.router,
    aftersales_api.router,
    session_refunds_api.router,
    moves_api.router,
    admission_api.router,
    receipts_api.router,
    reports_api.router,
    privacy_api.router,
    webhooks_api.router,
)
"""In the order of the sale. Each feature's routes stand under ``/api/v1``."""


class RouteUndeclared(RuntimeError):
    """A route says nothing about who may call it, or says it twice."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A path as the app serves it, with its methods and who may call them."""

    path: str
    pattern: re.Pattern[str]
    methods: frozenset[str]
    declaration: Declaration


def read_operations(app: FastAPI) -> list[Operation]:
    """Read all routes of an app. Raises ``RouteUndeclared`` unless each declares exactly one permission.

    Folders of static files are for everyone by their nature, and are passed over.
    """
    return [
        _operation(context)
        for context in iter_route_contexts(app.routes)
        if not (isinstance(context.route, Mount) and isinstance(context.route.app, StaticFiles))
    ]


def allowed_methods(operations: Sequence[Operation], path: str) -> list[str]:
    """Return the methods that a path takes."""
    allowed = {method for operation in operations if operation.pattern.match(path) for method in operation.methods}
    return sorted(allowed | ({"HEAD"} if "GET" in allowed else set()))


def _operation(context: RouteContext) -> Operation:
    methods = frozenset(context.methods or ())
    if not isinstance(context.original_route, APIRoute) or context.path_format is None:
        raise RouteUndeclared(f"{context.path} is of a kind that cannot declare a permission")
    found = list(_declarations(context.dependant))
    if len(found) != 1:
        raise RouteUndeclared(
            f"{'/'.join(sorted(methods))} {context.path} declares {len(found)} permissions; it must declare one"
        )
    if found[0].by_path and not _names_a_thing(context.path_format):
        raise RouteUndeclared(f"{context.path} names neither an organization nor a thing that the directory knows")
    return Operation(context.path_format, context.path_regex, methods, found[0])


def _names_a_thing(path_format: str) -> bool:
    """Say whether a path leads to an organization: a user may have several."""
    names = re.findall(r"{(\w+)", path_format)
    return "organization_id" in names or any(name in THINGS for name in names)


def _declarations(dependant: Dependant) -> Iterator[Declaration]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, DECLARING):
            yield dependency.call.declaration
        yield from _declarations(dependency)
