"""Everything that a worker works off, put together from the settings."""

from dataclasses import replace

from fullhouse.infra.outgoing import Outside
from fullhouse.infra.resources import Resources
from fullhouse.payments.providers.offered import PaymentTerms, open_providers
from fullhouse.settings import Settings
from fullhouse.workers.run import Work
from fullhouse.workers.schedule import KeptDays, jobs_of
from fullhouse.workers.subscriptions import find_unheard, subscriptions_of


def work_of(resources: Resources, settings: Settings, outside: Outside | None = None) -> Work:
    """Return the two tables of the product and what sends webhooks, bound to the parts of this process."""
    from fullhouse.workers.senders import senders_of  # noqa: PLC0415 (Lambda loads the tables alone)

    return replace(tables_of(resources, settings), senders=senders_of(resources, settings, outside))


def tables_of(resources: Resources, settings: Settings) -> Work:
    """Return the two tables alone: who reacts to what, and what runs when."""
    terms = PaymentTerms(
        simulated=settings.offers_simulated_payments(),
        simulated_late_seconds=settings.simulated_late_seconds,
        attempt_seconds=settings.payment_attempt_seconds,
        margin_seconds=settings.payment_margin_seconds,
        stripe_refunds_per_second=settings.stripe_refunds_per_second,
        public_url=resources.public_url,
        stripe_api=settings.stripe_api,
    )
    providers = open_providers(resources.pool, resources.make_id, resources.clock, resources.secret_key, terms)
    kept = KeptDays(settings.buyer_data_days, settings.audit_origin_days, settings.signing_key_days)
    jobs = jobs_of(resources, providers, kept)
    return Work(subscriptions_of(resources, providers), jobs, find_unheard=find_unheard)
