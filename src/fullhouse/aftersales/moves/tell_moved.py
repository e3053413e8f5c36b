"""Telling the buyers of a session that it was moved: a message for each order, in batches, and then a mail."""

from datetime import datetime
from uuid import UUID

from fullhouse.aftersales.moves.messages import MoveAnnounced
from fullhouse.aftersales.moves.queries import list_untold_moves, load_order_move
from fullhouse.aftersales.moves.rules import Answer, Move
from fullhouse.aftersales.moves.writes import mark_told
from fullhouse.core.ids import MakeId
from fullhouse.infra.languages import Translator
from fullhouse.infra.outbox import append
from fullhouse.infra.postgres import EVERY_ORGANIZATION, Pool, connection, transaction
from fullhouse.tickets.load_sale import Sale
from fullhouse.tickets.mail_order_news import mail_order_news
from fullhouse.tickets.mail_tickets import Mailroom

MOVES_PER_RUN_MAX = 20
ORDERS_PER_BATCH = 200
_BATCHES_PER_RUN_MAX = 25


async def announce_moves(pool: Pool, make_id: MakeId) -> int:
    """Announce moves to orders that have not heard of them, some thousands in a run. Returns how many orders.

    The line of an order and its message are written together, so that each is told once, whoever dies.
    """
    async with connection(pool, EVERY_ORGANIZATION) as conn:
        moves = await list_untold_moves(conn, MOVES_PER_RUN_MAX)
    count = 0
    for move in moves:
        for _ in range(_BATCHES_PER_RUN_MAX):
            async with transaction(pool, move.organization_id) as conn:
                told = await mark_told(conn, move, ORDERS_PER_BATCH)
                facts = [MoveAnnounced(move.organization_id, order_id, move.move_id) for order_id in told]
                await append(conn, make_id, facts)
            count += len(told)
            if len(told) < ORDERS_PER_BATCH:
                break
    return count


async def mail_move(pool: Pool, mailroom: Mailroom, organization_id: UUID, order_id: UUID, move_id: UUID) -> bool:
    """Mail the buyer of an order that its session was moved, once. Returns whether it was sent now.

    Nothing is sent where another move took its place, or the order was returned meanwhile.
    """
    async with connection(pool, organization_id) as conn:
        known = await load_order_move(conn, organization_id, order_id)
    if known is None or known.move.move_id != move_id or known.answer is Answer.RETURN:
        return False
    move = known.move

    def words(sale: Sale, speak: Translator) -> tuple[str, str]:
        return write_words(move, sale, speak)

    return await mail_order_news(pool, mailroom, organization_id, order_id, f"moved-{move_id}", words)


def write_words(move: Move, sale: Sale, speak: Translator) -> tuple[str, str]:
    """Write subject and body, in the buyer's language. Pure."""
    event = sale.terms.event_name
    until = _when(speak, move.answer_until, sale)
    if move.kind == "moved":
        subject = speak.gettext("%(event)s has a new date", event=event)
        news = speak.gettext(
            "%(event)s was to begin on %(before)s. It now begins on %(after)s, and your tickets are valid for that.",
            event=event,
            before=_when(speak, move.previous_starts_at, sale),
            after=_when(speak, move.starts_at, sale),
        )
    else:
        subject = speak.gettext("%(event)s was postponed", event=event)
        news = speak.gettext(
            "%(event)s does not take place on %(before)s. The new date is not known yet; your tickets will be valid "
            "for it.",
            event=event,
            before=_when(speak, move.previous_starts_at, sale),
        )
    choice = speak.gettext(
        "You may return your tickets for all of your money until %(until)s, on the page of your order.", until=until
    )
    if move.default_answer is Answer.KEEP:
        silence = speak.gettext("If you want to keep them, you need not do anything.")
    else:
        silence = speak.gettext(
            "If you want to keep them, say so there until then; otherwise your money is returned by itself."
        )
    return subject, f"{news}\n\n{choice} {silence}"


def _when(speak: Translator, instant: datetime, sale: Sale) -> str:
    zone = sale.terms.time_zone
    return f"{speak.date(instant, zone)}, {speak.time(instant, zone)}"
