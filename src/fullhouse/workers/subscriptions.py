"""Who reacts to what: the one table, from message types to queues and their handlers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from fullhouse.aftersales.follow_refund import follow_refund
from fullhouse.aftersales.moves.tell_moved import mail_move
from fullhouse.core.message import Message
from fullhouse.identity.mail.mail_account import AccountMailroom, mail_account
from fullhouse.infra.postgres import Connection
from fullhouse.infra.resources import Resources
from fullhouse.orders.expire_orders import expire_orders
from fullhouse.organizations.members.mail_invitation import mail_invitation
from fullhouse.payments.close_declined_order import close_declined_order
from fullhouse.payments.providers.port import Providers
from fullhouse.payments.send_refunds import send_refunds
from fullhouse.receipts.issue_receipt import issue_credit_note, issue_receipts
from fullhouse.receipts.queries import find_orders_with_receipts
from fullhouse.tickets.issue_tickets import issue_tickets_together
from fullhouse.tickets.mail_order_news import News, mail_order_news, words_of
from fullhouse.tickets.mail_tickets import MailRecords, mail_tickets, open_mailroom
from fullhouse.tickets.messages import OrderLinksRequested
from fullhouse.tickets.of_buyer.mail_links import mail_links
from fullhouse.tickets.queries import find_orders_with_tickets
from fullhouse.webhooks.enqueue_deliveries import enqueue_deliveries
from fullhouse.webhooks.queries import organizations_with_endpoints
from fullhouse.webhooks.rules import MESSAGE_TYPES
from fullhouse.workers.react import Subscription
from fullhouse.workers.settle_and_issue import settle_and_issue


def _types(*names: str) -> frozenset[str]:
    return frozenset(names)


class Reactions:
    """Handlers: each calls one function of a feature with what the message names."""

    def __init__(self, resources: Resources, providers: Providers) -> None:
        """Take the parts of this process."""
        self._resources = resources
        self._providers = providers
        self._mailroom = open_mailroom(resources)
        self._mail_records = MailRecords(resources.pool)

    async def settle(self, conn: Connection, messages: Sequence[Message]) -> None:
        """Apply what providers told us: the payments, the orders and their places follow."""
        parts = self._resources
        await settle_and_issue(conn, parts.make_id, self._providers, parts.secret_key, messages)

    async def close_declined(self, conn: Connection, message: Message) -> None:
        """Give the stock back after the last declined try."""
        await close_declined_order(conn, self._resources.make_id, message)

    async def follow_refund(self, conn: Connection, message: Message) -> None:
        """Void what was paid back in the provider's own pages."""
        await follow_refund(conn, self._resources.make_id, message)

    async def expire_orders(self, conn: Connection, message: Message) -> None:
        """End the orders that waited on holds which have ended."""
        await expire_orders(conn, self._resources.make_id, message)

    async def send_refunds(self, _message: Message) -> None:
        """Tell providers of money that is to go back."""
        await send_refunds(self._resources.pool, self._resources.make_id, self._providers)

    async def issue_tickets(self, conn: Connection, messages: Sequence[Message]) -> None:
        """Issue the tickets of orders that are paid."""
        parts = self._resources
        await issue_tickets_together(conn, parts.make_id, parts.secret_key, messages)

    async def issue_receipts(self, conn: Connection, messages: Sequence[Message]) -> None:
        """Issue the receipts of orders that were paid, and the credit notes of money that went back."""
        make_id, organization_id = self._resources.make_id, messages[0].organization_id
        paid = [order_of(message) for message in messages if message.type == "order.paid"]
        await issue_receipts(conn, make_id, organization_id, paid)
        for message in messages:
            if message.type != "order.paid":
                await issue_credit_note(conn, make_id, organization_id, UUID(str(message.data["refund_id"])))

    async def deliver_tickets(self, message: Message) -> None:
        """Render, store and mail tickets, in one go, since the mail carries what was rendered."""
        number = int(str(message.data["number"])) if message.type == "ticket.mail_requested" else 0
        ids = message.organization_id, order_of(message)
        await mail_tickets(self._mail_records, self._mailroom, *ids, number)

    async def mail_account(self, message: Message) -> None:
        """Send what somebody is to hear about their account."""
        parts = self._resources
        room = AccountMailroom(parts.mailer, parts.secret_key, parts.public_url, self._mailroom.host)
        await mail_account(parts.pool, room, UUID(str(message.data["mail_id"])))

    async def enqueue_webhooks(self, conn: Connection, messages: Sequence[Message]) -> None:
        """Enter what is to be sent to endpoints."""
        await enqueue_deliveries(conn, self._resources.make_id, messages)

    async def tell_buyer(self, message: Message) -> None:
        """Mail the buyer of an order that ended without tickets, where it is not by their own wish; or their links."""
        if message.type == OrderLinksRequested.type:
            await mail_links(self._resources.pool, self._mailroom, UUID(str(message.data["request_id"])))
            return
        news = NEWS.get((message.type, str(message.data.get("reason")))) or NEWS.get((message.type, ""))
        if news is not None:
            ids = message.organization_id, order_of(message)
            await mail_order_news(self._resources.pool, self._mailroom, *ids, news, words_of(news))

    async def mail_move(self, message: Message) -> None:
        """Mail the buyer of an order that its session was moved."""
        move_id = UUID(str(message.data["move_id"]))
        await mail_move(self._resources.pool, self._mailroom, message.organization_id, order_of(message), move_id)

    async def mail_invitation(self, message: Message) -> None:
        """Mail who was invited to an organization."""
        parts = self._resources
        ids = (message.organization_id, UUID(str(message.data["invitation_id"])))
        await mail_invitation(parts.pool, parts.mailer, parts.secret_key, parts.public_url, ids)


NEWS: Mapping[tuple[str, str], News] = {
    ("order.cancelled", "payment_declined"): "payment_declined",
    ("order.paid_unseated", ""): "paid_unseated",
    ("order.refunded", ""): "refunded",
}
"""Which messages, with which reason (any, where it is empty), a buyer hears of."""


def order_of(message: Message) -> UUID:
    """Read which order a message is about."""
    return UUID(str(message.data["order_id"]))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table, with a handler that is not yet bound to the parts of a process."""

    queue: str
    types: frozenset[str]
    part: str = "consume"
    """Which part of a worker has it."""
    in_transaction: Callable[[Reactions, Connection, Message], Awaitable[None]] | None = None
    """Its inbox row and its effect commit together."""
    in_transaction_together: Callable[[Reactions, Connection, Sequence[Message]], Awaitable[None]] | None = None
    """The same, with few statements for all messages that share the transaction."""
    outside: Callable[[Reactions, Message], Awaitable[None]] | None = None
    """Talks to the outside, and does nothing the second time."""
    concurrency_max: int = 4
    together_max: int = 1
    is_repeatable: bool = False
    announces: bool = True
    telling_seconds: float = 0.0
    seconds_max: float = 30.0


WEBHOOKS = "webhooks.enqueue"
"""The queue of those who are told over HTTP, which most sellers do not have."""
_TICKETS = "tickets.issue"
_RECEIPTS = "receipts.issue"

TABLE = (
    Line("organizations.mail_invitations", _types("member.invited"), outside=Reactions.mail_invitation),
    Line(
        "payments.settle",
        _types("payment.notice_received"),
        in_transaction_together=Reactions.settle,
        concurrency_max=2,
        together_max=100,
    ),
    Line("payments.close_declined", _types("payment.declined"), in_transaction=Reactions.close_declined),
    Line(
        "orders.expire",
        _types("reservation.expired", "reservation.released"),
        in_transaction=Reactions.expire_orders,
        together_max=10,
    ),
    Line(
        "payments.send_refunds",
        _types("refund.requested"),
        outside=Reactions.send_refunds,
        concurrency_max=1,
        seconds_max=120.0,
    ),
    Line("aftersales.follow_refund", _types("refund.succeeded"), in_transaction=Reactions.follow_refund),
    Line(
        _TICKETS,
        _types("order.paid"),
        in_transaction_together=Reactions.issue_tickets,
        concurrency_max=2,
        together_max=100,
    ),
    Line(
        _RECEIPTS,
        _types("order.paid", "refund.succeeded"),
        in_transaction_together=Reactions.issue_receipts,
        concurrency_max=2,
        together_max=100,
    ),
    Line(
        "tickets.deliver",
        _types("ticket.issued", "ticket.mail_requested"),
        part="render",
        outside=Reactions.deliver_tickets,
        concurrency_max=32,
        announces=False,
        telling_seconds=0.02,
        seconds_max=60.0,
    ),
    Line(
        "tickets.tell_buyer",
        _types("order.cancelled", "order.paid_unseated", "order.refunded", OrderLinksRequested.type),
        outside=Reactions.tell_buyer,
    ),
    Line("aftersales.mail_moves", _types("order.move_announced"), outside=Reactions.mail_move),
    Line("identity.mail", _types("account.mail_requested"), outside=Reactions.mail_account),
    Line(
        WEBHOOKS,
        MESSAGE_TYPES,
        in_transaction_together=Reactions.enqueue_webhooks,
        concurrency_max=2,
        together_max=50,
        is_repeatable=True,
    ),
)
"""Who reacts to what."""

QUEUES = {line.queue: line.types for line in TABLE}
"""The message types that each queue wants."""


async def find_unheard(conn: Connection, messages: Sequence[Message]) -> frozenset[tuple[str, UUID]]:
    """Return what queues would only take out again: what nobody waits for, or was done when it was announced.

    Those are messages for the webhooks of sellers who have no endpoint, and payments of orders whose tickets and
    receipts were issued with them. An endpoint, or a ticket, that was there before the message was committed is seen.
    """
    asked = [message for message in messages if message.type in MESSAGE_TYPES]
    hearing = await organizations_with_endpoints(conn, {message.organization_id for message in asked})
    unheard = [(WEBHOOKS, message.message_id) for message in asked if message.organization_id not in hearing]
    paid = [message for message in messages if message.type == "order.paid"]
    if paid:
        orders = [(message.organization_id, message.key) for message in paid]
        issued, receipted = await find_orders_with_tickets(conn, orders), await find_orders_with_receipts(conn, orders)
        unheard += [(_TICKETS, message.message_id) for message in paid if message.key in issued]
        unheard += [(_RECEIPTS, message.message_id) for message in paid if message.key in receipted]
    return frozenset(unheard)


def subscriptions_of(resources: Resources, providers: Providers) -> tuple[Subscription, ...]:
    """Return the table, with each handler bound to the parts that it needs."""
    reactions = Reactions(resources, providers)
    return tuple(
        Subscription(
            line.queue,
            line.types,
            part=line.part,
            in_transaction=partial(line.in_transaction, reactions) if line.in_transaction else None,
            in_transaction_together=(
                partial(line.in_transaction_together, reactions) if line.in_transaction_together else None
            ),
            outside=partial(line.outside, reactions) if line.outside else None,
            concurrency_max=line.concurrency_max,
            together_max=line.together_max,
            is_repeatable=line.is_repeatable,
            announces=line.announces,
            telling_seconds=line.telling_seconds,
            seconds_max=line.seconds_max,
        )
        for line in TABLE
    )
