"""What organizers send about events."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator, Field, WithJsonSchema

from fullhouse.catalogue.api.fields import UNSET, TimeZone, read_date
from fullhouse.catalogue.rules import SimpleEventWish
from fullhouse.events.rules import EventFields
from fullhouse.infra.http import ApiModel, Currency, Line, Name, PriceMinor, Quantity, ShortName, Text


class EventBody(ApiModel):
    """A new event: a draft."""

    name: Name
    description: Text = ""
    location: Line = ""
    time_zone: TimeZone = "UTC"
    currency: Currency
    per_buyer_max: Quantity | None = None

    def fields(self) -> EventFields:
        """Return what was sent, as the feature takes it."""
        return EventFields(
            self.name, self.description, self.location, self.time_zone, self.currency, self.per_buyer_max
        )


class EventChangeBody(ApiModel):
    """What changes about an event; what is left out stays. ``per_buyer_max`` null lifts the limit."""

    name: Name = UNSET
    description: Text = UNSET
    location: Line = UNSET
    time_zone: TimeZone = UNSET
    currency: Currency = UNSET
    per_buyer_max: Quantity | None = None

    def changes(self) -> dict[str, object]:
        """Return the fields that were sent."""
        return self.model_dump(exclude_unset=True)


class SimpleEventBody(ApiModel):
    """The short form: an event with one general-admission session and one ticket type, published at once.

    ``date`` is an instant, or a local time in ``time_zone``.
    """

    organization_id: UUID
    name: Name
    description: Text = ""
    date: Annotated[datetime, BeforeValidator(read_date), WithJsonSchema({"type": "string", "format": "date-time"})]
    time_zone: TimeZone = "UTC"
    location: Line = ""
    capacity: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    price_minor: PriceMinor
    currency: Currency
    ticket_type: ShortName = "General admission"
    per_buyer_max: Quantity | None = None

    def wish(self) -> SimpleEventWish:
        """Return what was sent, as the feature takes it."""
        return SimpleEventWish(
            name=self.name,
            description=self.description,
            location=self.location,
            starts=self.date,
            time_zone=self.time_zone,
            capacity=self.capacity,
            price_minor=self.price_minor,
            currency=self.currency,
            ticket_type=self.ticket_type,
            per_buyer_max=self.per_buyer_max,
        )
