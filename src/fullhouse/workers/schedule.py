"""What runs when: the one table of jobs. Each does what is due, may be cut short, and may run beside itself."""

from dataclasses import dataclass

from fullhouse.aftersales.moves.close_moves import close_due_moves
from fullhouse.aftersales.moves.tell_moved import announce_moves
from fullhouse.aftersales.work_session_refunds import work_session_refunds
from fullhouse.identity.tokens.prune_tokens import prune_tokens
from fullhouse.identity.tokens.rotate_signing_keys import rotate_due_signing_keys
from fullhouse.infra.audit_chain import link_audit_log
from fullhouse.infra.prune import (
    prune_audit_origins,
    prune_dead_letters,
    prune_idempotency_keys,
    prune_inbox,
    prune_outbox,
)
from fullhouse.infra.resources import Resources
from fullhouse.orders.queries import find_ordered
from fullhouse.payments.deliver_simulated_notices import deliver_simulated_notices
from fullhouse.payments.expire_attempts import expire_attempts
from fullhouse.payments.providers.port import Providers
from fullhouse.payments.reconcile_days import reconcile_days
from fullhouse.payments.send_refunds import send_refunds
from fullhouse.privacy.erase_buyer import erase_old_buyers, sweep_erased
from fullhouse.reservations.block_stock import release_due_allocations
from fullhouse.reservations.expire_reservations import expire_reservations
from fullhouse.reservations.prune import Seen, prune_reservations, prune_stock_changes
from fullhouse.tickets.mail_tickets import open_mailroom
from fullhouse.tickets.of_buyer.prune_link_requests import prune_link_requests
from fullhouse.webhooks.prune_deliveries import prune_deliveries
from fullhouse.workers.run_schedule import Job


@dataclass(frozen=True, slots=True)
class KeptDays:
    """How many days what is personal, or secret, is kept."""

    buyer_data_days: int
    audit_origin_days: int
    signing_key_days: int


def jobs_of(resources: Resources, providers: Providers, kept: KeptDays) -> tuple[Job, ...]:
    """Return the table, with each job bound to the parts that it needs."""
    pool, make_id, mailroom = resources.pool, resources.make_id, open_mailroom(resources)
    key_parts, key_days = (pool, resources.secret_key, resources.randomness), kept.signing_key_days
    buyer_days, seen = kept.buyer_data_days, Seen()
    return (
        Job("deliver_simulated_notices", 0.2, lambda: deliver_simulated_notices(pool, make_id, providers)),
        Job("expire_reservations", 1.0, lambda: expire_reservations(pool, make_id)),
        Job("link_audit_log", 1.0, lambda: link_audit_log(pool)),
        Job("release_due_allocations", 5.0, lambda: release_due_allocations(pool)),
        Job("expire_attempts", 5.0, lambda: expire_attempts(pool, make_id, providers), seconds_max=120.0),
        Job("send_refunds", 15.0, lambda: send_refunds(pool, make_id, providers), seconds_max=120.0),
        Job("work_session_refunds", 2.0, lambda: work_session_refunds(pool, make_id), seconds_max=120.0),
        Job("close_due_moves", 10.0, lambda: close_due_moves(pool, make_id)),
        Job("announce_moves", 2.0, lambda: announce_moves(pool, make_id)),
        Job("sweep_erased", 60.0, lambda: sweep_erased(pool, mailroom)),
        Job(
            "erase_old_buyers",
            3600.0,
            lambda: erase_old_buyers(pool, mailroom, buyer_days),
            seconds_max=600.0,
        ),
        Job("rotate_signing_keys", 60.0, lambda: rotate_due_signing_keys(*key_parts, age_days_max=key_days)),
        Job("prune_tokens", 3600.0, lambda: prune_tokens(pool)),
        Job("reconcile_days", 60.0, lambda: reconcile_days(pool, make_id, providers), seconds_max=300.0),
        Job("prune_link_requests", 3600.0, lambda: prune_link_requests(pool)),
        Job("prune_stock_changes", 60.0, lambda: prune_stock_changes(pool)),
        Job("prune_reservations", 60.0, lambda: prune_reservations(pool, find_ordered, seen)),
        Job("prune_outbox", 60.0, lambda: prune_outbox(pool)),
        Job("prune_inbox", 60.0, lambda: prune_inbox(pool)),
        Job("prune_idempotency_keys", 60.0, lambda: prune_idempotency_keys(pool)),
        Job("prune_audit_origins", 3600.0, lambda: prune_audit_origins(pool, kept.audit_origin_days)),
        Job("prune_dead_letters", 3600.0, lambda: prune_dead_letters(pool)),
        Job("prune_deliveries", 60.0, lambda: prune_deliveries(pool)),
    )
