"""From a template to an answer: the language, the headers that browsers are held to, and nothing else."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from fullhouse.infra.languages import LANGUAGES, Language, language_tag, translator
from fullhouse.web.pages.assets import asset_path
from fullhouse.web.pages.figures import day, month, number
from fullhouse.web.pages.language import remember_language, speaker_of, switch_of

AUDIENCES = ("shop", "account", "organizer")
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
LIVE_POLICY = f"{CONTENT_POLICY}; script-src 'self'; connect-src 'self'"
"""For a page that follows what happens: it runs our own files, and asks nobody else."""
PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie, Accept-Language",
}
PRIVATE_HEADERS: Mapping[str, str] = {
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}
"""For what stands under a secret: kept nowhere, sent on nowhere."""


def render_page(
    request: Request,
    template: str,
    values: Mapping[str, object],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Render a template in the language of the request."""
    return _answer(request, _render(request, template, values), status, headers or {})


def render_kept(
    request: Request,
    template: str,
    values: Callable[[], Mapping[str, object]],
    keep: Callable[[str, Callable[[], bytes]], tuple[bytes, str]],
) -> Response:
    """Render a template that shows everybody the same, once for each language while what it shows does not change.

    ``keep`` remembers what was made, beside what it was made of, and gives it an entity tag. Whoever asks with a query
    of their own gets a page of their own.
    """
    if request.url.query:
        return render_page(request, template, values())
    form = f"{template} {speaker_of(request).language} {request.url.path}"
    body, etag = keep(form, lambda: _render(request, template, values()).encode())
    if request.headers.get("if-none-match") == etag:
        return _answer(request, b"", 304, {"ETag": etag})
    return _answer(request, body, 200, {"ETag": etag})


def _render(request: Request, template: str, values: Mapping[str, object]) -> str:
    speak = speaker_of(request)
    switches = [_switch(request, language, speak.language) for language in LANGUAGES]
    made = environment(speak.language).get_template(template)
    return made.render({"switches": switches, "path": request.url.path, **values})


def _answer(request: Request, body: str | bytes, status: int, headers: Mapping[str, str]) -> Response:
    speak = speaker_of(request)
    answer = HTMLResponse(body, status, headers={**PAGE_HEADERS, "Content-Language": speak.html_language, **headers})
    remember_language(request, answer)
    return answer


@cache
def environment(language: Language) -> Environment:
    """Prepare the templates for one language. An unknown name in a template is an error, never an empty text."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(f"fullhouse.web.pages.{audience}") for audience in AUDIENCES]),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.policies["ext.i18n.trimmed"] = True
    speak = translator(language)
    made.install_gettext_translations(speak.catalog, newstyle=True)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] (the extension adds it)
    names: Mapping[str, Any] = {
        "speak": speak,
        "asset": asset_path,
        "day": day,
        "month": partial(month, speak),
        "number": partial(number, speak),
    }
    made.globals.update(names)
    return made


_NAMES: Mapping[Language, str] = {"en": "English", "pt_BR": "Português"}


def _switch(request: Request, language: Language, current: Language) -> Mapping[str, object]:
    return {
        "tag": language_tag(language),
        "name": _NAMES[language],
        "query": switch_of(request, language),
        "current": language == current,
    }
