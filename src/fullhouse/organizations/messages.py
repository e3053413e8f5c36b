"""What organizations announce. No address travels: the id leads to it."""

from dataclasses import dataclass
from typing import ClassVar, TypedDict
from uuid import UUID

from fullhouse.core.message import Id


class InvitationData(TypedDict):
    """The id that leads to everything else."""

    invitation_id: Id


@dataclass(frozen=True, slots=True)
class MemberInvited:
    """Somebody was invited to an organization; a mail follows. Internal."""

    organization_id: UUID
    invitation_id: UUID

    type: ClassVar[str] = "member.invited"
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False

    @property
    def key(self) -> UUID:
        """Each by itself."""
        return self.invitation_id

    def data(self) -> InvitationData:
        """Return the invitation's id."""
        return {"invitation_id": str(self.invitation_id)}
