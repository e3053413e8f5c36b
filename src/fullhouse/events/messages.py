"""The facts that events announce: published and cancelled (key: the event), and of sessions (key: the session)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, TypedDict
from uuid import UUID

from fullhouse.core.message import Id, Instant, Means
from fullhouse.events.rules import SessionStatus, SessionTerms

TimeZone = Annotated[str, Means("A name of the IANA database.", example="Europe/Lisbon")]


class EventData(TypedDict):
    """The event alone; everything else is asked for."""

    event_id: Id


class SessionData(TypedDict):
    """A session as it is now."""

    session_id: Id
    event_id: Id
    status: SessionStatus
    time_zone: TimeZone
    starts_at: Instant
    ends_at: Instant | None


class SessionChangedData(SessionData):
    """A session as it is now, and the start that it had."""

    previous_starts_at: Instant


@dataclass(frozen=True, slots=True)
class _EventFact:
    organization_id: UUID
    event_id: UUID

    @property
    def key(self) -> UUID:
        return self.event_id

    def data(self) -> EventData:
        return {"event_id": str(self.event_id)}


@dataclass(frozen=True, slots=True)
class EventPublished(_EventFact):
    """The public sees the event, and its sessions are sold inside their sales windows."""

    type: ClassVar[str] = "event.published"
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class EventCancelled(_EventFact):
    """The event will not happen, or was deleted before anything of it was held."""

    type: ClassVar[str] = "event.cancelled"
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class _SessionFact:
    terms: SessionTerms

    @property
    def organization_id(self) -> UUID:
        return self.terms.organization_id

    @property
    def key(self) -> UUID:
        return self.terms.session_id

    def data(self) -> SessionData:
        terms = self.terms
        return {
            "session_id": str(terms.session_id),
            "event_id": str(terms.event_id),
            "status": terms.status,
            "time_zone": terms.time_zone,
            "starts_at": terms.starts_at.isoformat(),
            "ends_at": terms.ends_at.isoformat() if terms.ends_at else None,
        }


@dataclass(frozen=True, slots=True)
class SessionScheduled(_SessionFact):
    """A session was added to an event. The event may still be a draft."""

    type: ClassVar[str] = "session.scheduled"
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class SessionChanged(_SessionFact):
    """Dates, limits, prices or quotas of a session changed. ``previous_starts_at`` tells where it was before."""

    type: ClassVar[str] = "session.changed"
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False
    before: SessionTerms

    def data(self) -> SessionChangedData:
        """Return the session as it is now, and the start that it had."""
        return {**_SessionFact.data(self), "previous_starts_at": self.before.starts_at.isoformat()}


@dataclass(frozen=True, slots=True)
class SessionCancelled(_SessionFact):
    """The session will not happen, or was deleted before anything of it was held."""

    type: ClassVar[str] = "session.cancelled"
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False
