"""The ticket validator: ``POST /api/v1/tickets/validate`` behind a function URL, with an API key, for the door.

It serves the very route of the API, behind the same layers, so bodies, outcomes and problems are the same.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

import fullhouse
from fullhouse.access.find_actor import open_actors
from fullhouse.admission import api as admission_api
from fullhouse.admission.doors import Doors
from fullhouse.aws.function_url import answer_of, read_request
from fullhouse.aws.instance import Context, Instance
from fullhouse.infra.resources import Resources
from fullhouse.settings import Settings
from fullhouse.web.edge import Edge, Traffic
from fullhouse.web.errors import add_error_handlers
from fullhouse.web.hot_routes import HotRoutes
from fullhouse.web.paths import API_PREFIX
from fullhouse.web.request_limits import RequestLimits


class Validator:
    """The app of the door."""

    def __init__(self, app: Edge) -> None:
        """Keep the app."""
        self._app = app

    async def serve(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Serve one request of a function URL."""
        scope, receive = read_request(event)
        sent: list[Mapping[str, Any]] = []

        async def send(message: Any) -> None:  # noqa: ANN401 (an ASGI message)
            sent.append(message)

        await self._app(scope, receive, send)
        return answer_of(sent)


def make_validator(resources: Resources, settings: Settings) -> Validator:
    """Put the app of one instance together."""
    api = FastAPI(title="Fullhouse", version=fullhouse.__version__, openapi_url=None, docs_url=None, redoc_url=None)
    api.include_router(admission_api.router, prefix=API_PREFIX)
    add_error_handlers(api, lambda _path: ("POST",))
    api.state.resources = resources
    api.state.actors = open_actors(resources)
    api.state.doors = Doors(resources.pool, resources.make_id, resources.secret_key)
    limited = RequestLimits(HotRoutes(api), settings.body_bytes_max, {})
    return Validator(Edge(limited, api, resources.make_id, Traffic(), https=True))


_instance = Instance("ticket-validator", make_validator)


def handler(event: Mapping[str, Any], _context: Context) -> dict[str, Any]:
    """Answer a request of the function URL."""
    return _instance.call(lambda validator: validator.serve(event))
