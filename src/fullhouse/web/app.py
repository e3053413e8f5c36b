"""The app: routes, error table, health and documents, behind the layers that every request passes."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute

import fullhouse
from fullhouse.access.accounts import key_set
from fullhouse.access.find_actor import open_actors
from fullhouse.admission.doors import Doors
from fullhouse.catalogue.event_board import EventBoard
from fullhouse.catalogue.show_availability import AvailabilityBoard
from fullhouse.events.rules import SessionTerms
from fullhouse.infra.client_address import Proxies
from fullhouse.infra.resources import Resources
from fullhouse.infra.system import make_id_text
from fullhouse.infra.wake import Notifier
from fullhouse.orders.placing.order_desk import OrderDesk
from fullhouse.payments.providers.keyring import Keyring
from fullhouse.payments.providers.offered import PaymentTerms, open_providers
from fullhouse.payments.starting.payment_desk import PaymentDesk
from fullhouse.realtime.rules import StreamLimits
from fullhouse.realtime.streams import Streams
from fullhouse.reports.export_csv import Exporter
from fullhouse.reservations.place_reservation import BoxOffice
from fullhouse.reservations.rules import Reservation
from fullhouse.reservations.shield import Shield
from fullhouse.reservations.stock import Stock
from fullhouse.settings import Settings
from fullhouse.tickets.mail_tickets import open_mailroom
from fullhouse.web import docs, health
from fullhouse.web.accounts import open_accounts
from fullhouse.web.docs import Library
from fullhouse.web.edge import Edge, Traffic
from fullhouse.web.errors import add_error_handlers
from fullhouse.web.express import Express
from fullhouse.web.gauges import Gauges
from fullhouse.web.hot_routes import HotRoutes
from fullhouse.web.openapi import DESCRIPTION, build_openapi
from fullhouse.web.overload import watch
from fullhouse.web.pages import account, organizer, shop
from fullhouse.web.pages.route import add_page_errors
from fullhouse.web.paths import API_PREFIX
from fullhouse.web.rate_limits import RateLimits, open_limits
from fullhouse.web.request_limits import RequestLimits
from fullhouse.web.routes import API_ROUTERS, allowed_methods, read_operations

QUIET = frozenset({f"{API_PREFIX}/reservations", f"{API_PREFIX}/orders", f"{API_PREFIX}/tickets/validate"})
"""Routes of which nobody waits to hear. Holds tell the boards themselves; orders and scans change nothing of these."""

OWN_ROUTERS = (health.router, docs.router, key_set.router, *account.ROUTERS, *shop.ROUTERS, *organizer.ROUTERS)


def create_app(resources: Resources, settings: Settings) -> Edge:
    """Make the app of one process; whoever opened the resources closes them after it.

    Raises ``RouteUndeclared`` if a route does not say who may call it.
    """
    traffic = Traffic()
    api = FastAPI(
        title="Fullhouse",
        version=fullhouse.__version__,
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Ours begin at the edge; the framework's would carry whole paths, and with them the secrets of orders.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        generate_unique_id_function=_operation_id,
        lifespan=_lifespan,
    )
    for router in API_ROUTERS:
        api.include_router(router, prefix=API_PREFIX)
    for router in OWN_ROUTERS:
        api.include_router(router)
    operations = read_operations(api)
    add_error_handlers(api, lambda path: allowed_methods(operations, path))
    add_page_errors(api)
    _set_state(api, resources, settings, traffic)
    api.state.library = Library(lambda: build_openapi(api, operations))
    hot = HotRoutes(api)
    checked = RequestLimits(hot, settings.body_bytes_max, {"/seat-maps": settings.seat_map_bytes_max})
    limited = RateLimits(checked, api.state.limits, Proxies(settings.trusted_proxies, settings.forwarded_header))
    https = resources.public_url.startswith("https://")
    edge = Edge(limited, api, resources.make_id, traffic, https=https, wrote=_note_writes(api))
    api.state.at_once = hot.targets
    api.state.express = Express(edge, limited, make_id_text, body_bytes_max=settings.body_bytes_max)
    return edge


def _set_state(api: FastAPI, resources: Resources, settings: Settings, traffic: Traffic) -> None:
    """Put where dependencies find them the parts of this process that requests share."""
    api.state.resources = resources
    api.state.notifier = Notifier(resources.database_url)
    api.state.traffic = traffic
    api.state.actors = open_actors(resources)
    api.state.accounts = open_accounts(resources, settings, api.state.actors.users)
    api.state.shield = Shield(resources.valkey, resources.clock)
    api.state.mailroom = open_mailroom(resources)
    api.state.exporter = Exporter(resources.pool)
    api.state.limits = open_limits(resources, settings)
    api.state.webhook_allow_private = settings.webhook_allow_private
    board = AvailabilityBoard(resources.pool, resources.valkey, resources.clock)
    events = EventBoard(resources.pool)
    api.state.availability_board = board
    streams = Streams(resources.pool, resources.valkey, resources.clock, resources.randomness, _stream_limits(settings))
    api.state.streams = streams
    api.state.event_board = events

    def note_held(stock: Stock, terms: SessionTerms, held: Sequence[Reservation]) -> None:
        board.note_held(stock, terms, held)
        streams.announcer.note_held(stock, terms, held)
        events.note_held(stock, terms, held)

    api.state.box_office = BoxOffice(
        resources.pool, resources.make_id, resources.secret_key, note_held, traffic.gate.patience
    )
    api.state.order_desk = OrderDesk(resources.pool, resources.make_id, resources.secret_key)
    api.state.doors = Doors(resources.pool, resources.make_id, resources.secret_key)
    api.state.gauges = Gauges(resources.pool, resources.clock, api.state.box_office.desks)
    api.state.keyring = Keyring(resources.pool, resources.clock, resources.secret_key)
    api.state.providers = open_providers(
        resources.pool,
        resources.make_id,
        resources.clock,
        resources.secret_key,
        PaymentTerms(
            simulated=settings.offers_simulated_payments(),
            simulated_late_seconds=settings.simulated_late_seconds,
            attempt_seconds=settings.payment_attempt_seconds,
            margin_seconds=settings.payment_margin_seconds,
            stripe_refunds_per_second=settings.stripe_refunds_per_second,
            public_url=resources.public_url,
            stripe_api=settings.stripe_api,
        ),
        api.state.keyring,
    )
    api.state.payment_desk = PaymentDesk(resources.pool, resources.make_id, api.state.providers)


def _stream_limits(settings: Settings) -> StreamLimits:
    return StreamLimits(
        connections_max=settings.stream_connections_max,
        by_address_max=settings.stream_connections_by_address_max if settings.rate_limits else None,
        seconds_max=settings.stream_seconds_max,
    )


def _note_writes(api: FastAPI) -> Callable[[str], None]:
    """Let what follows a write see it, whatever of it this process has in memory."""
    state = api.state
    notifier: Notifier = state.notifier

    def wrote(route: str) -> None:
        if route in QUIET:
            notifier.wake_soon()
        else:
            notifier.wake()
            state.availability_board.note_written()
            state.event_board.note_written()
            state.box_office.desks.note_written()

    return wrote


@asynccontextmanager
async def _lifespan(api: FastAPI) -> AsyncGenerator[None]:
    """Watch for overload; close the parts of this process when the last request in flight has been answered."""
    watching = asyncio.create_task(watch(api.state.traffic.gate))
    yield
    watching.cancel()
    await api.state.box_office.close()
    await api.state.order_desk.close()
    await api.state.doors.close()
    await api.state.payment_desk.close()
    await api.state.streams.close()
    api.state.accounts.means.close()
    await api.state.availability_board.close()
    await api.state.notifier.close()
    await api.state.limits.close()
    await api.state.providers.close()


def _operation_id(route: APIRoute) -> str:
    """Name an operation by what it is, such as ``post_orders_order_id_cancel``: unique, and stable in clients."""
    path = route.path_format.removeprefix(API_PREFIX)
    return "_".join([*sorted(method.lower() for method in route.methods or ()), *re.findall(r"[a-z0-9]+", path)])
