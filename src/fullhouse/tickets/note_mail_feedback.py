"""Noting with the order that a mail about it did not arrive."""

import re
from uuid import UUID

from fullhouse.infra.directory import find_organization
from fullhouse.infra.mail_feedback import Feedback
from fullhouse.infra.mail_port import AddressRefused, MailRefused, without_addresses
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.infra.telemetry import get_log
from fullhouse.tickets.writes import note_problem

_OWN_ID = re.compile(r"<([a-z_]{1,40}(?:-[0-9]{1,16})?)\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@[^\s@<>]+>")
_log = get_log("fullhouse.mail")


async def note_mail_feedback(pool: Pool, feedback: Feedback) -> bool:
    """Note what SES told of a mail; again changes nothing. Returns False where no order of ours is meant.

    It may come before the sender has noted that the mail went, and after the order's mail was noted as another's.
    """
    found = _OWN_ID.fullmatch(feedback.message_id.strip())
    organization_id = await find_organization(pool, "order", UUID(found[2])) if found else None
    if found is None or organization_id is None:
        _log.warning("feedback_of_no_order", message_id=feedback.message_id[:100])
        return False
    await _note(pool, organization_id, UUID(found[2]), found[1], feedback)
    return True


async def note_refusal(pool: Pool, organization_id: UUID, message_id: str, refused: MailRefused) -> None:
    """Note that the server refused a mail. Raises the refusal again, unless it is the address that is wrong.

    An address is for the organization to see to, which finds it with the order. Any other refusal is also for the
    operator, who finds it among the dead letters and can have it tried again.
    """
    is_address = isinstance(refused, AddressRefused)
    feedback = Feedback(message_id, "refused", is_address, without_addresses(refused.detail))
    if found := _OWN_ID.fullmatch(message_id):
        await _note(pool, organization_id, UUID(found[2]), found[1], feedback)
    if not is_address:
        raise refused


async def _note(pool: Pool, organization_id: UUID, order_id: UUID, kind: str, feedback: Feedback) -> None:
    async with transaction(pool, organization_id) as conn:
        await note_problem(conn, organization_id, order_id, kind, feedback)
    _log.info("mail_problem", order=str(order_id), problem=feedback.problem, permanent=feedback.is_permanent)
