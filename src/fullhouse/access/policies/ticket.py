"""Tickets at the door: a scanner admits at the sessions and gates that its key is bound to, and at no others.

That the ticket and the session are of the scanner's organization is seen to by the signature of the code, which only
the organization's own key verifies.
"""

from dataclasses import dataclass
from uuid import UUID

from fullhouse.core.actor import Actor
from fullhouse.core.errors import Forbidden


class OutsideBinding(Forbidden):
    """The key is bound to other sessions or gates; the fields name them."""

    code = "outside_binding"
    title = "This key may not scan there."


@dataclass(frozen=True, slots=True)
class Post:
    """Where somebody scans: for which sessions (none: any of the organization), and at which gate."""

    session_ids: frozenset[UUID]
    gate: str | None


def find_post(actor: Actor, session_id: UUID | None, gate: str | None) -> Post:
    """Return where an actor scans, from what the key is bound to and what the scan names.

    What a scan does not name, the binding does: all of its sessions, and its gate where it has one. Raises
    ``OutsideBinding`` for another session or gate, and where one of several gates must be named.
    """
    if actor.session_ids and session_id is not None and session_id not in actor.session_ids:
        raise OutsideBinding(session_ids=sorted(str(one) for one in actor.session_ids))
    if actor.gates and gate is None and len(actor.gates) == 1:
        (gate,) = actor.gates
    if actor.gates and gate not in actor.gates:
        raise OutsideBinding(gates=sorted(actor.gates))
    return Post(actor.session_ids, gate)
