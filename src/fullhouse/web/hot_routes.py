"""The layer between those that every request passes and the framework: it serves the hot routes by itself."""

import re

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.types import Receive, Scope, Send

from fullhouse.core.errors import DomainError
from fullhouse.infra.hot import HotOperation, Serve
from fullhouse.web.edge import ROUTE_KEY
from fullhouse.web.errors import send_problem, validation_problem
from fullhouse.web.targets import KnownTargets, Target


class HotRoutes:
    """Serves the routes that were declared with ``hot_route``; the framework serves what is left."""

    def __init__(self, api: FastAPI) -> None:
        """Find the hot routes of an app, with the paths under which it has them."""
        self._api = api
        self._fixed: dict[tuple[str, str], tuple[Serve, str]] = {}
        self._patterns: list[tuple[str, re.Pattern[str], Serve, str]] = []
        self.targets = KnownTargets()
        """What the server may serve without parser and task."""
        for context in iter_route_contexts(api.routes):
            if isinstance(context.endpoint, HotOperation) and context.path_format is not None:
                methods = context.methods or set()
                self._add(context.endpoint.serve, context.path_format, context.path_regex, methods)
                if context.endpoint.at_once or context.endpoint.glance:
                    self._add_target(context.endpoint, context.path_format, methods)

    def _add(self, serve: Serve, path: str, pattern: re.Pattern[str], methods: set[str]) -> None:
        for method in methods:
            if "{" in path:
                self._patterns.append((method, pattern, serve, path))
            else:
                self._fixed[method, path] = serve, path

    def _add_target(self, operation: HotOperation, path: str, methods: set[str]) -> None:
        for method in methods:
            target = Target(method, path, path.encode(), path, {}, operation.glance, operation.at_once)
            self.targets.add(target)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._api(scope, receive, send)
            return
        found = self._fixed.get((scope["method"], scope["path"])) or self._match(scope)
        if found is None:
            await self._api(scope, receive, send)
            return
        serve, scope[ROUTE_KEY] = found
        scope["app"] = self._api
        try:
            await serve(scope, receive, send)
        except DomainError as refused:
            await send_problem(send, refused, scope)
        except RequestValidationError as invalid:
            await validation_problem(invalid, scope)(scope, receive, send)

    def _match(self, scope: Scope) -> tuple[Serve, str] | None:
        method, path = scope["method"], scope["path"]
        for wanted, pattern, serve, template in self._patterns:
            match = pattern.match(path) if wanted == method else None
            if match is not None:
                scope["path_params"] = match.groupdict()
                return serve, template
        return None
