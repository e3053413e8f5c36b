"""Whether a form was sent from a page of ours."""

from urllib.parse import urlsplit

from starlette.requests import Request

from fullhouse.core.errors import Forbidden

_OURS = frozenset({"same-origin", "none"})


class SentFromElsewhere(Forbidden):
    """A page of another site sent the form."""

    code = "sent_from_elsewhere"
    title = "This form was sent from another site."


def check_origin(request: Request, public_url: str, *, secret_in_path: bool = False) -> None:
    """Raise ``SentFromElsewhere`` unless the browser says that a page of ours sent this form.

    ``Sec-Fetch-Site`` decides where browsers send it (over https and on loopback), else ``Origin``. Programs that are
    no browsers send neither, and carry no one's cookies. A page under ``Referrer-Policy: no-referrer`` sends the
    origin ``null``; that is believed only where a secret in the path is the authority.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in _OURS:
            raise SentFromElsewhere
        return
    origin = request.headers.get("origin")
    if origin is None or (origin == "null" and secret_in_path):
        return
    if urlsplit(origin).netloc.lower() not in {urlsplit(public_url).netloc.lower(), request.url.netloc.lower()}:
        raise SentFromElsewhere
