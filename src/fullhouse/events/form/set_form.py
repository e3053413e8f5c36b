"""Changing what an event asks of its buyers. Earlier versions stay: they say what was agreed to."""

from dataclasses import asdict
from uuid import UUID

from fullhouse.events.form.queries import load_form
from fullhouse.events.form.rules import Form, next_form
from fullhouse.events.rules import EventNotFound, may_change
from fullhouse.events.writes import insert_form, lock_event
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection


async def set_form(conn: Connection, organization_id: UUID, event_id: UUID, wanted: Form) -> Form:
    """Ask this from now on, and return it as it was written. Whoever is buying is asked again.

    The versions in ``wanted`` are passed over. Raises ``EventNotFound``, ``EventIsCancelled``, and ``Invalid``.
    """
    event = await lock_event(conn, organization_id, event_id)
    if event is None:
        raise EventNotFound
    may_change(event.status)
    form = next_form(await load_form(conn, organization_id, event_id), wanted)
    await insert_form(conn, organization_id, event_id, form.version, asdict(form))
    act = Act("event.ask", "event", event_id, {"version": form.version})
    await record(conn, organization_id, act)
    return form
