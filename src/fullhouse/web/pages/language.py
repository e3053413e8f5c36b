"""The language of a page: as the buyer switched it, else as the browser asks."""

from starlette.requests import Request
from starlette.responses import Response

from fullhouse.infra.languages import LANGUAGES, Translator, language_or_default, language_tag, negotiate, translator

PARAMETER = "lang"
COOKIE = "language"
COOKIE_SECONDS = 365 * 24 * 3600
_TAGS = frozenset(language_tag(language).lower() for language in LANGUAGES)


def speaker_of(request: Request) -> Translator:
    """Choose by ``?lang=``, then by the cookie that an earlier switch left, then by ``Accept-Language``."""
    chosen = _known(request.query_params.get(PARAMETER)) or _known(request.cookies.get(COOKIE))
    return translator(chosen or negotiate(request.headers.get("accept-language")))


def remember_language(request: Request, response: Response) -> None:
    """Leave a cookie if the page was asked for by ``?lang=``; it holds a preference and nothing else."""
    chosen = _known(request.query_params.get(PARAMETER))
    if chosen is not None:
        response.set_cookie(
            COOKIE,
            chosen,
            max_age=COOKIE_SECONDS,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )


def switch_of(request: Request, language: str) -> str:
    """Return the query that shows the same page in another language; what else was asked for stays."""
    kept = request.url.remove_query_params(PARAMETER).include_query_params(**{PARAMETER: language_tag(language)})
    return f"?{kept.query}"


def _known(tag: str | None) -> str | None:
    if tag is None or tag.replace("_", "-").lower() not in _TAGS:
        return None
    return language_tag(language_or_default(tag))
