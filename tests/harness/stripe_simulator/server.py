"""The simulator's HTTP server, in the test's own loop, on a port of loopback, with faults that can be switched on."""

import asyncio
import hashlib
import hmac
import json
import re
import time
from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from harness.stripe_simulator.books import Books, Refusal, Thing

FAULTS = ("answer_lost", "error_after", "error_before", "connection_refused")
WEBHOOK_SECRET = "whsec_simulatedsecret1"
SECRET_KEY = "sk_test_simulated12345678"


@dataclass
class StripeSimulator:
    """Stripe, as one account sees it. ``url`` is what ``api_base`` has to be."""

    url: str = ""
    offset_seconds: float = 0.0
    """How far its clock is ahead."""
    faults: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Faults and the paths (as a regular expression) that the next call which fits meets them at."""
    calls: list[tuple[str, str, str | None, str]] = field(default_factory=list[tuple[str, str, str | None, str]])
    """Method, path, idempotency key and API version of each call."""

    def __post_init__(self) -> None:
        self.books = Books(lambda: time.time() + self.offset_seconds)

    def signed(
        self, event: Thing, secret: str = WEBHOOK_SECRET, at: float | None = None
    ) -> tuple[bytes, dict[str, str]]:
        """Write an event as Stripe sends it: its bytes and headers."""
        raw = json.dumps(event, indent=2).encode()
        moment = int(time.time() if at is None else at)
        digest = hmac.new(secret.encode(), f"{moment}.".encode() + raw, hashlib.sha256).hexdigest()
        # Stripe signs the events of tests by a scheme that nobody else uses, beside the one that counts.
        return raw, {"stripe-signature": f"t={moment},v1={digest},v0={'0' * 64}"}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and close."""
        try:
            request = await _read(reader)
            if request is None:
                return
            method, target, headers, body = request
            status, answer, fault = self._respond(method, target, headers, body)
            if fault == "answer_lost":
                return
            raw = json.dumps(answer).encode()
            head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\nRequest-Id: req_1\r\n\r\n" + raw)
            await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    def _respond(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Thing, str | None]:
        parts = urlsplit(target)
        key = headers.get("idempotency-key") if method == "POST" else None
        self.calls.append((method, parts.path, key, headers.get("stripe-version", "")))
        sent = headers.get("authorization", "")
        if SECRET_KEY not in sent and b64encode(f"{SECRET_KEY}:".encode()).decode() not in sent:
            return 401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}, None
        fault = self._fault(parts.path)
        if fault == "error_before":
            return 500, {"error": {"type": "api_error", "message": "An error of ours."}}, fault
        params = _tree(parse_qsl(body.decode() or parts.query, keep_blank_values=True))
        print_of = json.dumps([parts.path, params], sort_keys=True)
        known = self.books.answers.get(key or "")
        if known is not None and key:
            if known[0] != print_of:
                error = {"type": "idempotency_error", "message": "Keys for idempotent requests can only be used once."}
                return 400, {"error": error}, fault
            return known[1], known[2], fault
        try:
            status, answer = 200, self._route(method, parts.path, params)
        except Refusal as refusal:
            # Refused parameters are not kept: the call did not begin.
            return refusal.status, refusal.body, fault
        if fault == "error_after":
            status, answer = 500, {"error": {"type": "api_error", "message": "An error of ours."}}
        if key:
            self.books.answers[key] = (print_of, status, json.loads(json.dumps(answer)))
        return status, answer, fault

    def _fault(self, path: str) -> str | None:
        for number, (fault, pattern) in enumerate(self.faults):
            if re.search(pattern, path):
                del self.faults[number]
                return fault
        return None

    def _route(self, method: str, path: str, params: Thing) -> Thing:
        books = self.books
        kinds = {
            "checkout/sessions": ("checkout.session", books.create_session),
            "payment_intents": ("payment_intent", books.create_intent),
            "refunds": ("refund", books.create_refund),
            "disputes": ("dispute", None),
            "charges": ("charge", None),
            "events": ("event", None),
        }
        found = re.fullmatch(r"/v1/(checkout/sessions|[a-z_]+)(?:/([^/]+))?(?:/(expire|cancel|confirm))?", path)
        if found is None or found[1] not in kinds:
            raise Refusal(404, f"Unrecognized request URL ({method}: {path})")
        kind, create = kinds[found[1]]
        played = {
            ("POST", "payment_intent", "confirm"): books.confirm_intent,
            ("POST", "dispute", None): books.answer_dispute,
        }.get((method, kind, found[3]))
        if found[2] and played is not None:
            return played(found[2], params)
        if found[2] and (method, kind) == ("GET", "refund"):
            books.look_at_refund(found[2])
        if found[3]:
            return books.expire_session(found[2]) if found[3] == "expire" else books.cancel_intent(found[2])
        if found[2]:
            return self._expanded(books.find(found[2]), params)
        if method == "GET":
            return books.list_of(kind, params)
        assert create is not None
        return create(params)

    def _expanded(self, thing: Thing, params: Thing) -> Thing:
        wanted = params.get("expand") or []
        names = wanted.values() if isinstance(wanted, dict) else wanted
        return {**thing, **{name: self.books.things.get(thing[name]) for name in names if thing.get(name)}}


async def _read(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes] | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, target, _ = first.split(" ")
    return method, target, headers, body


def _tree(pairs: list[tuple[str, str]]) -> Thing:
    """Read ``a[b][0][c]=d`` as nested objects; lists are objects with numbers for names, but for ``a[]``."""
    root: Thing = {}
    for name, value in pairs:
        steps = re.findall(r"[^\[\]]+", name)
        node = root
        for step in steps[:-1]:
            node = node.setdefault(step, {})
        node[steps[-1]] = value
    return root


@asynccontextmanager
async def running_simulator() -> AsyncGenerator[StripeSimulator]:
    """Run the simulator until the block ends."""
    simulator = StripeSimulator()
    server = await asyncio.start_server(simulator.answer, "127.0.0.1", 0)
    simulator.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield simulator
    finally:
        server.close()
        await server.wait_closed()
