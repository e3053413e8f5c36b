"""Create an event: a draft that only its organization sees."""

from uuid import UUID

from fullhouse.core.errors import invalid_field
from fullhouse.core.ids import MakeId
from fullhouse.core.money import CURRENCIES
from fullhouse.events import queries, writes
from fullhouse.events.rules import Event, EventFields
from fullhouse.events.wall_clock import check_time_zone
from fullhouse.infra import directory
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection


async def create_event(conn: Connection, make_id: MakeId, organization_id: UUID, fields: EventFields) -> Event:
    """Create a draft and return it.

    Raises ``Invalid`` naming the field for a time zone or a currency that there is not.
    """
    check_time_zone(fields.time_zone)
    if fields.currency not in CURRENCIES:
        raise invalid_field("currency", "Write the code of a currency of ISO 4217, such as EUR.")
    event_id = make_id()
    await writes.insert_event(conn, organization_id, event_id, fields)
    await directory.register(conn, "event", organization_id, [event_id])
    await record(conn, organization_id, Act("event.create", "event", event_id))
    event = await queries.load_event(conn, organization_id, event_id)
    assert event is not None  # noqa: S101 (it was inserted in this transaction)
    return event
