"""Everything that a worker works off, put together from the settings."""

from fullhouse.infra.outgoing import Outside, open_outside
from fullhouse.infra.resources import Resources
from fullhouse.payments.providers.offered import PaymentTerms, open_providers
from fullhouse.settings import Settings
from fullhouse.webhooks.send_deliveries import Means, Sender
from fullhouse.workers.run import Work
from fullhouse.workers.schedule import jobs_of
from fullhouse.workers.subscriptions import subscriptions_of


def work_of(resources: Resources, settings: Settings, outside: Outside | None = None) -> Work:
    """Return the two tables of the product and what sends webhooks, bound to the parts of this process."""
    terms = PaymentTerms(
        simulated=settings.offers_simulated_payments(),
        simulated_late_seconds=settings.simulated_late_seconds,
        attempt_seconds=settings.payment_attempt_seconds,
        margin_seconds=settings.payment_margin_seconds,
    )
    providers = open_providers(resources.pool, resources.make_id, resources.clock, resources.secret_key, terms)
    means = Means(
        resources.clock,
        resources.make_id,
        resources.randomness,
        resources.secret_key,
        outside or open_outside(),
        allow_private=settings.webhook_allow_private,
    )
    return Work(
        subscriptions_of(resources, providers),
        jobs_of(resources, providers),
        {"webhooks": Sender(resources.pool, means)},
    )
