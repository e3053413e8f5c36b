"""Errors of pages as pages: what failed, in plain words, and a way on."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from fullhouse.core.errors import DomainError, Kind, Malformed
from fullhouse.infra.languages import Translator
from fullhouse.infra.outbox import request_id
from fullhouse.infra.telemetry import get_log
from fullhouse.web.errors import MethodNotAllowed, RouteUnknown, Unexpected, status_of
from fullhouse.web.pages.language import speaker_of
from fullhouse.web.pages.origin import SentFromElsewhere
from fullhouse.web.pages.render import PRIVATE_HEADERS, render_page

_NOT_FOR_PEOPLE = ("/api/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json", "/docs")
_log = get_log("web.pages")
Handler = Callable[[Request, Exception], Response | Awaitable[Response]]


class PageRoute(APIRoute):
    """A route that answers its refusals as pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the route's own handler."""
        handle = super().get_route_handler()

        async def handle_as_page(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError:
                # Pages take ids in their paths and nothing else that is validated.
                return error_page(request, RouteUnknown())
            except DomainError as refused:
                return self.on_refusal(request, refused) or error_page(request, refused)

        return handle_as_page

    def on_refusal(self, request: Request, error: DomainError) -> Response | None:  # noqa: ARG002 (for routes with another answer)
        """Answer a refusal in another way than by the page of errors; None: not."""
        return None


def error_page(request: Request, error: DomainError) -> Response:
    """Answer with a page for an error."""
    status = status_of(error)
    speak = speaker_of(request)
    if error.kind is Kind.UNAVAILABLE:
        _log.warning("unavailable", code=error.code, cause=repr(error.__cause__) if error.__cause__ else None)
    title, text = _explain(speak, error, status)
    reference = request_id.get() if status == 500 else None
    headers = dict(PRIVATE_HEADERS)
    if status in {429, 503}:
        headers["Retry-After"] = "5"
    values = {"title": title, "text": text, "reference": reference}
    return render_page(request, "error.html", values, status=status, headers=headers)


def _explain(speak: Translator, error: DomainError, status: int) -> tuple[str, str]:
    """Say what happened; the words are those of the page, never those of the error."""
    gettext = speak.gettext
    if isinstance(error, SentFromElsewhere):
        return gettext("This form came from another site"), gettext("For your safety it was not carried out.")
    if isinstance(error, MethodNotAllowed):
        return gettext("This page cannot be opened like this"), gettext("Please start again from the event.")
    known: Mapping[int, tuple[str, str]] = {
        404: (
            gettext("There is nothing here"),
            gettext("The address may be incomplete, or what it led to is not public. Please check the link."),
        ),
        429: (gettext("Too many requests"), gettext("Please wait a moment, then try again.")),
        500: (
            gettext("Something went wrong on our side"),
            gettext("We have noted it. If you were paying, open your order again before you try once more."),
        ),
        503: (
            gettext("We are very busy right now"),
            gettext("We cannot answer at this moment. Please try again in a few seconds; nothing is lost."),
        ),
    }
    default = gettext("This did not work"), gettext("Please go back, check what you entered and try again.")
    return known.get(status, default)


def add_page_errors(app: FastAPI) -> None:
    """Answer browsers with pages where no route was found, or where something broke; all others as before."""
    for kind in (HTTPException, Exception):
        app.add_exception_handler(kind, _for_browsers(cast("Handler", app.exception_handlers[kind])))


def _for_browsers(handle: Handler) -> Handler:
    async def handle_error(request: Request, error: Exception) -> Response:
        if _is_for_people(request):
            return error_page(request, _as_domain_error(error))
        answer = handle(request, error)
        return await answer if isinstance(answer, Awaitable) else answer

    return handle_error


def _is_for_people(request: Request) -> bool:
    wanted = "text/html" in request.headers.get("accept", "")
    return wanted and not request.url.path.startswith(_NOT_FOR_PEOPLE)


def _as_domain_error(error: Exception) -> DomainError:
    if isinstance(error, HTTPException):
        known: Mapping[int, type[DomainError]] = {404: RouteUnknown, 405: MethodNotAllowed, 500: Unexpected}
        return known.get(error.status_code, Malformed)()
    return Unexpected()
