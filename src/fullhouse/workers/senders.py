"""Who sends to the outside what waits in the database, and who hears what became of mails."""

from collections.abc import Mapping

from fullhouse.infra.mail_feedback_queue import open_feedback_queue
from fullhouse.infra.outgoing import Outside, open_outside
from fullhouse.infra.resources import Resources
from fullhouse.settings import Settings
from fullhouse.webhooks.send_deliveries import Means, Sender
from fullhouse.workers.receive_feedback import FeedbackReceiver
from fullhouse.workers.run import Sending


def senders_of(resources: Resources, settings: Settings, outside: Outside | None = None) -> Mapping[str, Sending]:
    """Return the senders by name, bound to the parts of this process."""
    means = Means(
        resources.clock,
        resources.make_id,
        resources.randomness,
        resources.secret_key,
        outside or open_outside(),
        allow_private=settings.webhook_allow_private,
    )
    senders: dict[str, Sending] = {"webhooks": Sender(resources.pool, means)}
    if settings.mail_feedback_url:
        queue = open_feedback_queue(settings.mail_feedback_url)
        senders["mail-feedback"] = FeedbackReceiver(resources.pool, queue)
    return senders
