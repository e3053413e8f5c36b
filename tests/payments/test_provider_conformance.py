"""What every payment provider has to do, run against each: the port's promises, in the order of its functions.

Where a server is missing (localstripe in ``.data/localstripe``, or ``STRIPE_API_KEY`` of a test account) its tests are
skipped by name.
"""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from harness.provider_benches import ALL, Bench, LibraryBench, SimulatedBench, StripeBench, running_localstripe
from harness.sources import ROOT
from harness.stripe_simulator.server import StripeSimulator
from harness.third_provider import RiverbankBench, RiverbankProvider

from fullhouse.core.errors import Invalid
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool
from fullhouse.payments.news import RefundNews
from fullhouse.payments.providers.port import Attempt, Provider, RefundCall
from fullhouse.payments.providers.simulated import SimulatedProvider
from fullhouse.payments.providers.stripe import StripeProvider
from fullhouse.payments.rules import Charge, ChargeStatus, NoticeRefused, ProviderRefused, RefundStatus

LOCALSTRIPE = ROOT / ".data" / "localstripe" / "bin" / "python"
CARD = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2099, "cvc": "123"}
BENCHES = ("simulated", "stripe hosted page", "stripe payment intent", "a third", "localstripe", "Stripe itself")


@pytest.fixture(scope="module")
def localstripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not LOCALSTRIPE.exists():
        missing = f"localstripe is not installed in {LOCALSTRIPE.parents[1].relative_to(ROOT)}: make localstripe"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    with running_localstripe(LOCALSTRIPE, tmp_path_factory.mktemp("localstripe")) as url:
        yield url


@pytest.fixture(params=BENCHES)
async def bench(request: pytest.FixtureRequest, pool: Pool, stripe: StripeSimulator) -> AsyncIterator[Bench]:
    made = make_bench(request, pool, stripe)
    yield made
    await made.provider.close()


def make_bench(request: pytest.FixtureRequest, pool: Pool, stripe: StripeSimulator) -> Bench:
    if request.param == "simulated":
        return SimulatedBench(pool)
    if request.param == "a third":
        return RiverbankBench()
    if request.param == "localstripe":
        url = request.getfixturevalue("localstripe")
        # It knows no idempotency keys, signs nothing for us, and lists without spans of time.
        return LibraryBench(url, "sk_test_12345678901", CARD, frozenset({"decimals"}))
    if request.param == "Stripe itself":
        key = os.environ.get("STRIPE_API_KEY", "")
        if "_test_" not in key:
            pytest.skip("STRIPE_API_KEY of a test account is not set")
        return LibraryBench("https://api.stripe.com", key, "pm_card_visa", ALL)
    return StripeBench(stripe, "hosted_page" if request.param == "stripe hosted page" else "payment_intent")


def attempt_for(bench: Bench, amount_minor: int = 5000, currency: str = "EUR") -> Attempt:
    now = system.now()
    options = bench.provider.check_options(bench.options)
    seconds = max(600, bench.provider.attempt_seconds_min(options))
    order_id, payment_id = system.make_id(), system.make_id()
    deadline_at = now + timedelta(seconds=seconds)
    key = f"{order_id}:1:payment"
    return Attempt(uuid4(), payment_id, order_id, key, amount_minor, currency, now, deadline_at, options)


async def pay(bench: Bench, attempt: Attempt) -> Attempt:
    """Start and pay an attempt; return it with the provider's names, as it would be kept."""
    started = await bench.provider.start(attempt)
    await bench.pay(attempt, started)
    charge = await bench.provider.fetch(replace(attempt, reference=started.charge.reference))
    assert charge is not None
    assert (charge.status, charge.captured_minor) == (ChargeStatus.CAPTURED, attempt.amount_minor)
    assert charge.capture_reference
    return replace(attempt, reference=started.charge.reference, capture_reference=charge.capture_reference)


def refund_of(attempt: Attempt, amount_minor: int, reference: str | None = None) -> RefundCall:
    refund_id = system.make_id()
    key = f"{attempt.order_id}:{refund_id}:refund"
    return RefundCall(attempt, refund_id, key, amount_minor, attempt.currency, reference)


def needs(bench: Bench, what: str) -> None:
    if what not in bench.can:
        pytest.skip(f"this server cannot be tested for {what}")


def functions_of(class_: type) -> list[str]:
    """Name the public functions of a class in the order in which its file has them."""
    return [name for name, value in vars(class_).items() if callable(value) and not name.startswith("_")]


@pytest.mark.parametrize("class_", [SimulatedProvider, StripeProvider, RiverbankProvider])
def test_each_provider_has_the_functions_of_the_port_in_its_order(class_: type) -> None:
    wanted = functions_of(Provider)
    assert [name for name in functions_of(class_) if name in wanted] == wanted


async def test_options_that_are_not_known_are_refused(bench: Bench) -> None:
    for options in ({"unheard_of": "x"}, dict.fromkeys(bench.options, "unheard_of")):
        with pytest.raises(Invalid) as refused:
            bench.provider.check_options(options)
        assert refused.value.fields["errors"]


async def test_one_key_is_one_attempt(bench: Bench) -> None:
    needs(bench, "keys")
    attempt = attempt_for(bench)
    first, second = await bench.provider.start(attempt), await bench.provider.start(attempt)
    assert first.charge.reference == second.charge.reference
    assert first.charge.status is ChargeStatus.OPEN
    assert first.next_step["type"]


async def test_an_attempt_is_found_though_its_answer_was_lost(bench: Bench) -> None:
    needs(bench, "keys")
    attempt = attempt_for(bench)
    started = await bench.provider.start(attempt)
    await bench.pay(attempt, started)
    charge = await bench.provider.fetch(attempt)
    assert charge is not None
    assert (charge.status, charge.captured_minor) == (ChargeStatus.CAPTURED, 5000)


async def test_what_is_cancelled_stays_cancelled(bench: Bench) -> None:
    attempt = attempt_for(bench)
    started = await bench.provider.start(attempt)
    known = replace(attempt, reference=started.charge.reference)
    assert [(await bench.provider.cancel(known)).status for _ in range(2)] == [ChargeStatus.CANCELLED] * 2


async def test_what_never_arrived_is_cancelled_before_it_can(bench: Bench) -> None:
    needs(bench, "never_arrived")
    attempt = attempt_for(bench)
    assert (await bench.provider.cancel(attempt)).status is ChargeStatus.CANCELLED
    late = await bench.provider.start(attempt)
    charge = await bench.provider.fetch(replace(attempt, reference=late.charge.reference))
    assert charge is not None
    assert charge.status is ChargeStatus.CANCELLED


async def test_a_cancellation_that_comes_too_late_says_that_the_money_was_taken(bench: Bench) -> None:
    paid = await pay(bench, attempt_for(bench))
    charge = await bench.provider.cancel(paid)
    assert (charge.status, charge.captured_minor) == (ChargeStatus.CAPTURED, 5000)


@pytest.mark.parametrize(
    ("amount_minor", "currency"), [(1000, "JPY"), (12_340, "KWD"), (5000, "USD"), (500, "ISK"), (100_000, "MGA")]
)
async def test_amounts_survive_currencies_of_any_decimals(bench: Bench, amount_minor: int, currency: str) -> None:
    needs(bench, "decimals")
    await pay(bench, attempt_for(bench, amount_minor, currency))


async def test_money_goes_back_in_parts_and_no_more_than_there_is(bench: Bench) -> None:
    needs(bench, "keys")
    paid = await pay(bench, attempt_for(bench))
    call = refund_of(paid, 1200)
    first, again = await bench.provider.refund(call), await bench.provider.refund(call)
    assert (first.reference, first.amount_minor, first.refund_id) == (again.reference, 1200, call.refund_id)
    known = await bench.provider.refund(replace(call, reference=first.reference))
    assert (known.reference, known.status) == (first.reference, RefundStatus.SUCCEEDED)
    with pytest.raises(ProviderRefused):
        await bench.provider.refund(refund_of(paid, 3801))
    assert (await bench.provider.refund(refund_of(paid, 3800))).status is RefundStatus.SUCCEEDED


async def test_a_refund_of_all(bench: Bench) -> None:
    paid = await pay(bench, attempt_for(bench))
    assert (await bench.provider.refund(refund_of(paid, 5000))).status is RefundStatus.SUCCEEDED


async def test_notices_are_believed_only_as_they_were_signed_and_only_for_a_while(bench: Bench) -> None:
    needs(bench, "notices")
    attempt = attempt_for(bench)
    paid = await pay(bench, attempt)
    now = system.now()
    told = [await bench.provider.read_notice(sent, now) for sent in await bench.notices(attempt)]
    news = [bench.provider.news_in(notice.body) for notice in told if notice and notice.payment_id]
    captured = [one for one in news if isinstance(one, Charge) and one.status is ChargeStatus.CAPTURED]
    assert {(one.captured_minor, one.capture_reference) for one in captured} == {(5000, paid.capture_reference)}
    for sent in await bench.notices(attempt):
        for changed in (replace(sent, raw=sent.raw + b" "), replace(sent, headers={})):
            with pytest.raises(NoticeRefused):
                await bench.provider.read_notice(changed, now)
        for moment in (now + timedelta(seconds=310), now - timedelta(seconds=310)):
            with pytest.raises(NoticeRefused):
                await bench.provider.read_notice(sent, moment)


async def test_the_books_of_a_span_list_what_was_taken_and_given_back(bench: Bench) -> None:
    needs(bench, "lists")
    paid = await pay(bench, attempt_for(bench))
    refund = await bench.provider.refund(refund_of(paid, 700))
    now = system.now()
    told = await bench.provider.list_news(paid.organization_id, now - timedelta(minutes=5), now + timedelta(minutes=5))
    charges = [one.news for one in told if one.payment_id == paid.payment_id and isinstance(one.news, Charge)]
    assert [(one.captured_minor, one.capture_reference) for one in charges] == [(5000, paid.capture_reference)]
    refunds = [one.news for one in told if isinstance(one.news, RefundNews)]
    assert (refund.reference, 700) in {(one.reference, one.amount_minor) for one in refunds}
    before = await bench.provider.list_news(
        paid.organization_id, now - timedelta(days=2), now - timedelta(days=1, minutes=5)
    )
    assert all(one.payment_id != paid.payment_id for one in before)
