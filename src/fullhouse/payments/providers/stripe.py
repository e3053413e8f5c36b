"""Stripe: Checkout's hosted page, and payment intents for pages of one's own. Only this file knows the library.

The library is large (loading it takes most of a second), so it is loaded by the first call to Stripe, in a thread.

A card never touches us: the buyer gives it to Stripe. Each call that makes something carries the key that was stored
before it; Stripe answers a repeated key with its first answer, so an answer that was lost is fetched by the same call
again. Where that answer is an error of Stripe's own, what was made is looked for in its lists, by our id.

Checkout cannot end sooner than thirty minutes: an attempt takes two more. A call that is on its way longer is refused
by Stripe itself, so what was never heard of at the deadline can never begin.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from fullhouse.core.clock import Clock
from fullhouse.core.errors import Invalid
from fullhouse.core.json import Json
from fullhouse.infra.telemetry import get_log
from fullhouse.payments.news import News, RefundNews, Told
from fullhouse.payments.providers import stripe_news as read
from fullhouse.payments.providers import stripe_params as write
from fullhouse.payments.providers.keyring import Keyring
from fullhouse.payments.providers.port import Attempt, Notice, ProviderKeys, RefundCall, SentNotice, Started
from fullhouse.payments.providers.signature import check_signature
from fullhouse.payments.providers.stripe_keys import check_keys_form
from fullhouse.payments.rules import (
    Charge,
    ChargeStatus,
    NoticeRefused,
    ProviderRefused,
    ProviderUnavailable,
    RefundStatus,
)

STRIPE = "stripe"
API_VERSION = "2026-10-28.endive"
"""Pinned: a newer one may say things in other words."""
SIGNATURE_HEADER = "stripe-signature"
FORMS = ("hosted_page", "payment_intent")
HOSTED_SECONDS_MIN = 30 * 60 + 120
CONNECT_SECONDS_MAX = 5.0
ANSWER_SECONDS_MAX = 20.0
PAGES_MAX = 1000
PAGE_SIZE = 100

if TYPE_CHECKING:
    from stripe import HTTPXClient, StripeClient, StripeError

_log = get_log("payments.stripe")
Answer = TypeVar("Answer")


@dataclass
class StripeProvider:
    """Calls Stripe with the keys of each organization."""

    keyring: Keyring
    clock: Clock
    public_url: str
    api_base: str
    _http: "HTTPXClient | None" = field(default=None, init=False)

    def attempt_seconds_min(self, options: Mapping[str, Any]) -> int:
        """Follow Checkout's shortest time; a payment intent can be cancelled at any moment."""
        return HOSTED_SECONDS_MIN if options["form"] == "hosted_page" else 0

    def check_options(self, options: Mapping[str, Any]) -> Mapping[str, Json]:
        """Take ``form``: ``hosted_page`` (the default) or ``payment_intent``."""
        form = options.get("form", FORMS[0])
        unknown = sorted(set(options) - {"form"})
        if form in FORMS and not unknown:
            return {"form": form}
        name, message = (unknown[0], "Not known.") if unknown else ("form", f"Choose one of: {', '.join(FORMS)}.")
        raise Invalid(f"{name}: {message}", errors=[{"field": name, "message": message}])

    async def check_keys(self, keys: ProviderKeys) -> bool:
        """Check the form of each key, then ask Stripe for one session, which the secret key must be allowed to see."""
        moves_money = check_keys_form(keys)
        client = await self._client(keys)
        import stripe  # noqa: PLC0415 (loaded by now)

        try:
            await client.v1.payment_intents.list_async({"limit": 1})
        except (stripe.AuthenticationError, stripe.PermissionError) as refused:
            message = "Stripe does not take this key."
            raise Invalid(message, errors=[{"field": "secret_key", "message": message}]) from refused
        except stripe.StripeError as lost:
            raise _unavailable(lost) from lost
        return moves_money

    async def is_offered(self, organization_id: UUID) -> bool:
        """Serve organizations that gave their keys."""
        return await self.keyring.find_keys(organization_id, STRIPE) is not None

    async def start(self, attempt: Attempt) -> Started:
        """Open a Checkout session or a payment intent."""
        made = await self._create(attempt)
        if attempt.options["form"] == "hosted_page":
            return Started(read.charge_of_session(made), {"type": "redirect", "url": made["url"]})
        keys = await self._keys(attempt.organization_id)
        step: dict[str, Json] = {"type": "stripe_payment_intent", "client_secret": made["client_secret"]}
        return Started(read.charge_of_intent(made), {**step, "publishable_key": keys.publishable_key})

    async def fetch(self, attempt: Attempt) -> Charge | None:
        """Look the attempt up by Stripe's name of it, or find out that name first."""
        reference = attempt.capture_reference or attempt.reference or await self._find_out(attempt)
        return await self._load(attempt, reference) if reference else None

    async def cancel(self, attempt: Attempt) -> Charge:
        """Expire the session, or cancel the intent. What Stripe will not cancel any more says itself how it stands."""
        reference = attempt.reference or await self._find_out(attempt)
        if reference is None:
            return Charge(attempt.provider_key, ChargeStatus.CANCELLED)
        client = await self._client_of(attempt.organization_id)
        if reference.startswith("pi_") and attempt.options["form"] == "hosted_page":
            sessions = await _ask(client.v1.checkout.sessions.list_async({"payment_intent": reference, "limit": 1}))
            reference = sessions.data[0].id if sessions.data else reference
        try:
            if reference.startswith("pi_"):
                await _ask(client.v1.payment_intents.cancel_async(reference))
            else:
                await _ask(client.v1.checkout.sessions.expire_async(reference))
        except ProviderRefused:
            _log.info("stripe_cancels_no_more", payment_id=str(attempt.payment_id))
        return await self._load(attempt, reference)

    async def refund(self, call: RefundCall) -> RefundNews:
        """Ask for a refund of the intent, or look up the one that was asked for."""
        client = await self._client_of(call.charge.organization_id)
        if call.reference is not None:
            return read.news_of_refund(read.json_of(await _ask(client.v1.refunds.retrieve_async(call.reference))))
        intent = await self._intent_of(call.charge)
        params: Any = write.refund_params(call, intent)
        try:
            made = await _ask(client.v1.refunds.create_async(params, {"idempotency_key": call.provider_key}))
        except (ProviderUnavailable, ProviderRefused):
            known = await self._find_refund(client, intent, call)
            if known is None:
                raise
            return known
        return read.news_of_refund(read.json_of(made))

    async def read_notice(self, sent: SentNotice, now: datetime) -> Notice | None:
        """Verify the signature over the raw bytes with the secrets of the organization whose address it came to."""
        keys = await self.keyring.find_keys(sent.organization_id, STRIPE) if sent.organization_id else None
        secrets = [secret.encode() for secret in keys.webhook_secrets] if keys else []
        check_signature(sent.raw, sent.headers.get(SIGNATURE_HEADER), secrets, now)
        try:
            return read.notice_in(json.loads(sent.raw), sent.organization_id)
        except (ValueError, KeyError, TypeError, AttributeError) as broken:
            raise NoticeRefused("The notice cannot be read.") from broken

    def news_in(self, body: Mapping[str, Any]) -> News | None:
        """Read the event."""
        return read.news_in(body)

    async def list_news(self, organization_id: UUID, since: datetime, until: datetime) -> Sequence[Told]:
        """Go through what Stripe made in the span, and what it told in it of refunds and disputes made before."""
        client: Any = await self._client_of(organization_id)
        span: Any = {"created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())}, "limit": PAGE_SIZE}
        kinds = (client.v1.charges, client.v1.refunds, client.v1.disputes)
        made = [await _all(kind.list_async(span)) for kind in kinds]
        later = await _all(client.v1.events.list_async({**span, "types": list(read.LATER_EVENTS)}))
        return [*read.told_by(*made), *read.told_later(later)]

    async def close(self) -> None:
        """Close the connections to Stripe."""
        if self._http is not None:
            await self._http.close_async()
            self._http = None

    async def _create(self, attempt: Attempt) -> Mapping[str, Any]:
        """Make what the attempt asks for, or be answered with what was made for its key before."""
        client = await self._client_of(attempt.organization_id)
        options: Any = {"idempotency_key": attempt.provider_key}
        params: Any
        if attempt.options["form"] == "hosted_page":
            params = write.session_params(attempt, self.public_url)
            return read.json_of(await _ask(client.v1.checkout.sessions.create_async(params, options)))
        params = write.intent_params(attempt)
        return read.json_of(await _ask(client.v1.payment_intents.create_async(params, options)))

    async def _find_out(self, attempt: Attempt) -> str | None:
        """Find out Stripe's name of an attempt whose answer was lost; None for one that can never begin any more."""
        try:
            return str((await self._create(attempt))["id"])
        except ProviderRefused:
            return None
        except ProviderUnavailable:
            found = await self._search(attempt)
            if found is None and self.clock() <= attempt.deadline_at:
                raise
            return found

    async def _search(self, attempt: Attempt) -> str | None:
        """Look through what was made since the attempt began for what carries its id."""
        client = await self._client_of(attempt.organization_id)
        span: Any = {"created": write.span_of(attempt), "limit": PAGE_SIZE}
        hosted = attempt.options["form"] == "hosted_page"
        kind = client.v1.checkout.sessions if hosted else client.v1.payment_intents
        for thing in await _all(kind.list_async(span)):
            if read.uuid_in(thing, read.PAYMENT_KEY) == attempt.payment_id:
                return str(thing["id"])
        return None

    async def _load(self, attempt: Attempt, reference: str) -> Charge:
        client = await self._client_of(attempt.organization_id)
        expand: Any = {"expand": ["payment_intent"]}
        sessions, intents = client.v1.checkout.sessions, client.v1.payment_intents
        try:
            if reference.startswith("pi_"):
                return read.charge_of_intent(read.json_of(await _ask(intents.retrieve_async(reference))))
            return read.charge_of_session(read.json_of(await _ask(sessions.retrieve_async(reference, expand))))
        except ProviderRefused as gone:  # it was there: these are the keys of another account
            raise ProviderUnavailable(gone.detail, retry_after_seconds=60) from gone

    async def _intent_of(self, attempt: Attempt) -> str:
        if attempt.capture_reference is not None:
            return attempt.capture_reference
        charge = await self.fetch(attempt)
        if charge is None or charge.capture_reference is None:
            raise ProviderRefused("Stripe took no money for this payment.")
        return charge.capture_reference

    async def _find_refund(self, client: "StripeClient", intent: str, call: RefundCall) -> RefundNews | None:
        """Find a refund that was made though its answer said otherwise. One that failed is not meant."""
        params: Any = {"payment_intent": intent, "limit": PAGE_SIZE}
        for refund in await _all(client.v1.refunds.list_async(params)):
            news = read.news_of_refund(refund)
            if news.refund_id == call.refund_id and news.status is not RefundStatus.FAILED:
                return news
        return None

    async def _keys(self, organization_id: UUID) -> ProviderKeys:
        keys = await self.keyring.find_keys(organization_id, STRIPE)
        if keys is None:
            raise ProviderUnavailable("The organization has removed its keys for Stripe.", retry_after_seconds=60)
        return keys

    async def _client_of(self, organization_id: UUID) -> "StripeClient":
        return await self._client(await self._keys(organization_id))

    async def _client(self, keys: ProviderKeys) -> "StripeClient":
        if "stripe" not in sys.modules:
            await asyncio.to_thread(import_module, "stripe")
        import httpx  # noqa: PLC0415 (the library has it too)
        import stripe  # noqa: PLC0415

        if self._http is None:
            self._http = stripe.HTTPXClient(timeout=httpx.Timeout(ANSWER_SECONDS_MAX, connect=CONNECT_SECONDS_MAX))
        return stripe.StripeClient(
            keys.secret_key,
            stripe_version=API_VERSION,
            base_addresses={"api": self.api_base},
            http_client=self._http,
            # The library would repeat under keys of its own; ours are repeated by us.
            max_network_retries=0,
        )


async def _ask(call: Awaitable[Answer]) -> Answer:
    """Wait for an answer, and turn Stripe's errors into the two of the port: refused is what it says it did not do."""
    import stripe  # noqa: PLC0415 (loaded by whoever made the client)

    try:
        return await call
    except stripe.CardError as declined:
        reason = read.declined_because({"code": declined.code, **read.error_in(declined.json_body)})
        raise ProviderRefused(read.said_in(declined), reason=reason) from declined
    except stripe.InvalidRequestError as refused:
        raise ProviderRefused(read.said_in(refused), reason=read.refused_because(refused.code)) from refused
    except (stripe.AuthenticationError, stripe.PermissionError) as unknown:
        _log.error("stripe_keys_refused", error=read.said_in(unknown))
        raise _unavailable(unknown) from unknown
    except stripe.StripeError as lost:
        raise _unavailable(lost) from lost


async def _all(first: Awaitable[Any]) -> list[Mapping[str, Any]]:
    """Go through the pages of a list, up to a limit; more raises ``ProviderUnavailable``, for nothing is left out."""
    page = await _ask(first)
    found: list[Mapping[str, Any]] = []
    for _ in range(PAGES_MAX):
        found.extend(read.json_of(one) for one in page.data)
        if not page.has_more:
            return found
        page = await _ask(page.next_page_async())
    raise ProviderUnavailable(f"Stripe lists more than {PAGES_MAX * PAGE_SIZE} things.", retry_after_seconds=60)


def _unavailable(error: "StripeError") -> ProviderUnavailable:
    return ProviderUnavailable(f"Stripe did not answer as it should: {read.said_in(error)}", retry_after_seconds=2)
