"""Events and their sessions: who sees a draft, and what may still be deleted."""

from uuid import UUID

from fullhouse.core.actor import Actor


def may_look(viewer: Actor, organization_id: UUID) -> bool:
    """Say whether somebody may see what an organization keeps to itself: drafts, and how quotas stand."""
    return viewer.organization_id == organization_id and "event:read" in viewer.permissions


def may_delete(*, ever_held: bool) -> bool:
    """Say whether an event or a session may vanish. With sales, even ones that were undone, it is cancelled instead."""
    return not ever_held
