"""Erasing who bought, of orders whose money and stock stay."""

from collections.abc import Sequence
from uuid import UUID

from fullhouse.infra.idempotency import forget_answers
from fullhouse.infra.postgres import Connection
from fullhouse.orders.writes import delete_persons


async def erase_persons(conn: Connection, organization_id: UUID, order_ids: Sequence[UUID]) -> None:
    """Erase contacts, consents, why something was given, and the kept answers, whose fingerprints are of a name."""
    await delete_persons(conn, organization_id, order_ids)
    for operation in ("orders", "complimentary"):
        await forget_answers(conn, organization_id, operation, order_ids)
