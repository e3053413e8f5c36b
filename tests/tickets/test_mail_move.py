"""The mail about a session that was moved: once, in the buyer's language, with both dates and the deadline."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from harness.sold import Sell

from fullhouse.aftersales.moves.move_session import MoveWish, move_session
from fullhouse.aftersales.moves.rules import Answer
from fullhouse.aftersales.moves.tell_moved import mail_move
from fullhouse.catalogue.rules import SessionChange
from fullhouse.core.actor import Actor, ActorKind
from fullhouse.events.rules import SessionStatus
from fullhouse.events.wall_clock import WallClock
from fullhouse.infra import system
from fullhouse.infra.postgres import EVERY_ORGANIZATION, transaction
from fullhouse.tickets.mail_tickets import Mailroom

MOVED = SessionChange(dates={"starts": WallClock(datetime(2032, 3, 1, 20, 0))})  # noqa: DTZ001 (wall clock)
POSTPONED = SessionChange(status=SessionStatus.POSTPONED)
SAID = [
    ("en", MOVED, Answer.KEEP, "has a new date", "March 1, 2032", "you need not do anything"),
    ("en", POSTPONED, Answer.RETURN, "was postponed", "not known yet", "returned by itself"),
    ("pt_BR", MOVED, Answer.RETURN, "tem nova data", "1 de março de 2032", "devolvido automaticamente"),
    ("pt_BR", POSTPONED, Answer.KEEP, "foi adiado", "ainda não foi definida", "não precisa fazer nada"),
]


def _mails(mailbox: Path) -> list[EmailMessage]:
    return [message_from_bytes(path.read_bytes(), policy=default) for path in mailbox.glob("*.eml")]


@pytest.mark.parametrize("said", SAID)
async def test_each_buyer_reads_it_once(sell: Sell, mailroom: Mailroom, mailbox: Path, said: tuple[Any, ...]) -> None:
    language, change, answer, subject, *phrases = said
    sold = await sell(1, language=language)
    wish = MoveWish(change, system.now().astimezone(UTC) + timedelta(days=2), answer)
    by: Any = Actor(ActorKind.API_KEY)
    async with transaction(sold.pool, EVERY_ORGANIZATION) as conn:
        move, count = await move_session(conn, system.make_id, sold.organization_id, sold.order.session_id, wish, by)
    assert count == 1
    ids = sold.organization_id, sold.order_id, move.move_id
    assert [await mail_move(sold.pool, mailroom, *ids) for _ in range(3)] == [True, False, False]
    [mail] = _mails(mailbox)
    assert subject in mail["Subject"]
    text = " ".join(mail.get_content().split())
    for phrase in phrases:
        assert phrase in text
    assert str(sold.order_id) in text
    assert not await mail_move(sold.pool, mailroom, *ids[:2], system.make_id())
