"""What accounts announce. It is internal, of no organization, and names nobody."""

from dataclasses import dataclass
from typing import ClassVar, TypedDict
from uuid import UUID

from fullhouse.core.message import Id

NOBODYS_ID = UUID(int=0)
"""Stands where a message must name an organization and there is none."""


class MailData(TypedDict):
    """Where what is to be mailed is found."""

    mail_id: Id


@dataclass(frozen=True, slots=True)
class MailRequested:
    """A mail about an account is to be sent, if the address has one."""

    mail_id: UUID

    type: ClassVar[str] = "account.mail_requested"
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False

    @property
    def organization_id(self) -> UUID:
        """Nobody's."""
        return NOBODYS_ID

    @property
    def key(self) -> UUID:
        """Mails need no order among themselves."""
        return self.mail_id

    def data(self) -> MailData:
        """Name the row."""
        return {"mail_id": str(self.mail_id)}
