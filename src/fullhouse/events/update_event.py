"""Change what an event says about itself."""

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from typing import Any
from uuid import UUID

from fullhouse.core.errors import invalid_field
from fullhouse.core.money import CURRENCIES
from fullhouse.events import queries, writes
from fullhouse.events.rules import CurrencyFixed, Event, EventFields, EventNotFound, may_change
from fullhouse.events.wall_clock import check_time_zone
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection


async def update_event(conn: Connection, organization_id: UUID, event_id: UUID, changes: Mapping[str, Any]) -> Event:
    """Change the named fields (those of ``EventFields``) and return the event.

    Another time zone is that of sessions yet to come; sessions keep theirs. Raises ``EventNotFound``,
    ``EventIsCancelled``, ``CurrencyFixed`` where it has sessions, and ``Invalid`` naming the field.
    """
    event = await writes.lock_event(conn, organization_id, event_id)
    if event is None:
        raise EventNotFound
    may_change(event.status)
    now = {field.name: getattr(event, field.name) for field in dataclass_fields(EventFields)}
    fields = EventFields(**{**now, **changes})
    if fields.time_zone != event.time_zone:
        check_time_zone(fields.time_zone)
    if fields.currency != event.currency:
        await _check_new_currency(conn, event, fields.currency)
    await writes.set_event_fields(conn, organization_id, event_id, fields)
    await record(conn, organization_id, Act("event.update", "event", event_id, {"fields": sorted(changes)}))
    changed = await queries.load_event(conn, organization_id, event_id)
    assert changed is not None  # noqa: S101 (it is locked by this transaction)
    return changed


async def _check_new_currency(conn: Connection, event: Event, currency: str) -> None:
    if currency not in CURRENCIES:
        raise invalid_field("currency", "Write the code of a currency of ISO 4217, such as EUR.")
    if await queries.session_ids_of(conn, event.organization_id, event.event_id):
        raise CurrencyFixed(currency=event.currency)
