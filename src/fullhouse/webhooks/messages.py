"""What endpoints are sent that no broker carries: the test message."""

from dataclasses import dataclass
from typing import ClassVar, TypedDict
from uuid import UUID

from fullhouse.core.message import Id
from fullhouse.webhooks.rules import TEST_TYPE


class TestedData(TypedDict):
    """Which endpoint was tested."""

    endpoint_id: Id


@dataclass(frozen=True, slots=True)
class WebhookTested:
    """Somebody asked for a test message; nothing happened. It goes to the one endpoint, whatever types it chose."""

    organization_id: UUID
    endpoint_id: UUID

    type: ClassVar[str] = TEST_TYPE
    version: ClassVar[int] = 1
    key_waits: ClassVar[bool] = False

    @property
    def key(self) -> UUID:
        """The endpoint."""
        return self.endpoint_id

    def data(self) -> TestedData:
        """Name the endpoint."""
        return {"endpoint_id": str(self.endpoint_id)}
