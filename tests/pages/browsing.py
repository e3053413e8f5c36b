"""A buyer without scripts: reads pages, fills in their forms and sends them, as a browser does."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx


@dataclass
class Form:
    """A form as it stands in a page, with what it would send untouched."""

    action: str
    fields: dict[str, str] = field(default_factory=dict[str, str])
    choices: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """The values that a field offers."""


@dataclass
class Visit:
    """An answer, read."""

    answer: httpx.Response
    text: str
    title: str
    forms: list[Form]
    links: list[str]
    pictures: list[str]
    refresh: str | None

    @property
    def status(self) -> int:
        return self.answer.status_code

    @property
    def path(self) -> str:
        return self.answer.url.path

    def form(self, ending: str = "") -> Form:
        """Return the form whose action ends so."""
        [found] = [form for form in self.forms if form.action.endswith(ending) and form.action != "/"]
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.title: list[str] = []
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.refresh: str | None = None
        self._select = ""
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        assert "style" not in found, "the policy forbids inline styles"
        assert not any(name.startswith("on") for name in found), "the policy forbids inline scripts"
        assert tag != "style"
        assert tag != "script" or found["src"].startswith("/static/"), "the policy forbids inline scripts"
        if tag == "title":
            self._in_title = True
        elif tag in {"form", "select", "option", "input"}:
            self._read_control(tag, found)
        elif tag == "a":
            self.links.append(found.get("href", ""))
        elif tag == "img":
            self.pictures.append(found["src"])
        elif found.get("http-equiv") == "refresh":
            self.refresh = found["content"]

    def _read_control(self, tag: str, found: dict[str, str]) -> None:
        if tag == "form":
            self.forms.append(Form(found.get("action", "")))
        elif tag == "select":
            self._select = found["name"]
        elif tag == "option":
            self._offer(self._select, found["value"], chosen="selected" in found, first=True)
        elif "name" in found:
            is_radio = found.get("type") == "radio"
            self._offer(found["name"], found.get("value", ""), chosen=not is_radio or "checked" in found)

    def _offer(self, name: str, value: str, *, chosen: bool, first: bool = False) -> None:
        form = self.forms[-1]
        form.choices.setdefault(name, []).append(value)
        if chosen or (first and name not in form.fields):
            form.fields[name] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False

    def handle_data(self, data: str) -> None:
        (self.title if self._in_title else self.text).append(data)


def read_visit(answer: httpx.Response) -> Visit:
    """Read a page."""
    reader = _Reader()
    reader.feed(answer.text if answer.headers["content-type"].startswith("text/html") else "")
    words = " ".join(" ".join(reader.text).split()).replace(" .", ".")
    return Visit(answer, words, "".join(reader.title), reader.forms, reader.links, reader.pictures, reader.refresh)


class Buyer:
    """Somebody at a browser."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def open(self, path: str, **headers: str) -> Visit:
        return read_visit(await self.client.get(path, headers={"Accept": "text/html", **headers}))

    async def send(self, form: Form, changes: dict[str, str] | None = None) -> Visit:
        """Send a form, with changes to its fields, and follow where it leads."""
        answer = await self.post(form, changes)
        return await self.open(answer.headers["location"]) if answer.status_code == 303 else read_visit(answer)

    async def post(
        self, form: Form, changes: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Send a form and return the bare answer."""
        given = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", **(headers or {})}
        return await self.client.post(form.action, data={**form.fields, **(changes or {})}, headers=given)
