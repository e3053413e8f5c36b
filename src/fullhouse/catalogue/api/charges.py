"""Routes of fees and taxes: the organization's own, an event's, a session's."""

from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, StringConstraints, model_validator

from fullhouse.access.http import requires
from fullhouse.access.rules import Grant
from fullhouse.catalogue.set_charges import set_charges
from fullhouse.events.queries import load_event, load_terms
from fullhouse.events.rules import EventNotFound, SessionNotFound
from fullhouse.infra.http import ApiModel, Currency, Flag, Instant, PriceMinor, ResourcesDep, ShortName, problems
from fullhouse.infra.postgres import Connection, connection, transaction
from fullhouse.infra.resources import Resources
from fullhouse.pricing.queries import Declared, load_declared
from fullhouse.pricing.rules import (
    FEES_MAX,
    TAXES_MAX,
    WHOLE,
    Charges,
    ChargesNotFound,
    Fee,
    FeePer,
    Half,
    Level,
    Payer,
    RoundBy,
    Tax,
    TaxOn,
    percent_text,
)

router = APIRouter(tags=["prices"])

Reader = Annotated[Grant, requires("event:read")]
Pricer = Annotated[Grant, requires("price:write")]
Percent = Annotated[
    str,
    StringConstraints(pattern=r"^(100|\d{1,2}(\.\d{1,4})?)$"),
    Field(description="In percent, with up to four decimals: `20`, `8.875`.", examples=["8.875"]),
]
_UNDECLARED = UUID(int=0)


def rate_of(percent: str) -> int:
    """Read a rate in millionths."""
    return int(Decimal(percent) * (WHOLE // 100))


class FeeBody(ApiModel):
    """A fee: a fixed amount, a share of the discounted price, or both. Tickets that cost nothing carry none."""

    name: ShortName
    per: FeePer
    payer: Annotated[Payer, Field(description="The buyer on top of the price, or the organizer out of it.")]
    amount_minor: PriceMinor = 0
    percent: Percent = "0"

    @model_validator(mode="after")
    def is_something(self) -> Self:
        """Refuse a fee of nothing."""
        if not self.amount_minor and not rate_of(self.percent):
            raise ValueError("give amount_minor, percent, or both")
        return self


class TaxBody(ApiModel):
    """A tax."""

    name: ShortName
    percent: Percent
    on: TaxOn = TaxOn.ALL

    @model_validator(mode="after")
    def is_something(self) -> Self:
        """Refuse a tax of nothing: nobody could say whether it was meant."""
        if not rate_of(self.percent):
            raise ValueError("percent must be more than 0")
        return self


class ChargesBody(ApiModel):
    """Fees and taxes, all of them: what stands here takes the place of what was declared before, and of those above."""

    currency: Annotated[Currency, Field(description="Of the fixed amounts; events in others leave those fees out.")]
    fees: Annotated[tuple[FeeBody, ...], Field(max_length=FEES_MAX)] = ()
    taxes: Annotated[tuple[TaxBody, ...], Field(max_length=TAXES_MAX)] = ()
    taxes_included: Annotated[Flag, Field(description="Whether prices and fees contain the taxes.")] = True
    round_by: Annotated[RoundBy, Field(description="Of what a tax is rounded.")] = RoundBy.LINE
    half: Annotated[Half, Field(description="Where exactly half a minor unit goes.")] = Half.EVEN

    @model_validator(mode="after")
    def names_differ(self) -> Self:
        """Name each fee and each tax once: people tell them apart by that."""
        for names in ([fee.name for fee in self.fees], [tax.name for tax in self.taxes]):
            if len(set(names)) != len(names):
                raise ValueError("each name may stand once")
        return self

    def charges(self) -> Charges:
        """Return what was sent, as the feature takes it."""
        return Charges(
            charges_id=_UNDECLARED,
            currency=self.currency,
            fees=tuple(Fee(f.name, f.per, f.payer, f.amount_minor, rate_of(f.percent)) for f in self.fees),
            taxes=tuple(Tax(tax.name, rate_of(tax.percent), tax.on) for tax in self.taxes),
            taxes_included=self.taxes_included,
            round_by=self.round_by,
            half=self.half,
        )


class ChargesAnswer(ChargesBody):
    """Declared fees and taxes. ``id`` is another with every declaration."""

    id: UUID
    declared_at: Instant


@router.get("/organizations/{organization_id}/charges", responses=problems(404))
async def get_organization_charges(organization_id: UUID, grant: Reader, resources: ResourcesDep) -> ChargesAnswer:
    """Show the fees and taxes of all events that have none of their own."""
    grant.check_organization(organization_id)
    async with connection(resources.pool, organization_id) as conn:
        return await _answer(conn, organization_id, organization_id)


@router.put("/organizations/{organization_id}/charges", responses=problems(404))
async def put_organization_charges(
    organization_id: UUID, body: ChargesBody, grant: Pricer, resources: ResourcesDep
) -> ChargesAnswer:
    """Declare the fees and taxes of all events that have none of their own. What is held or sold keeps its price."""
    grant.check_organization(organization_id)
    return await _put(resources, organization_id, (Level.ORGANIZATION, organization_id), body)


@router.delete("/organizations/{organization_id}/charges", status_code=204, responses=problems(404))
async def delete_organization_charges(organization_id: UUID, grant: Pricer, resources: ResourcesDep) -> None:
    """Charge nothing beside prices from now on, but where an event or session has fees or taxes of its own."""
    grant.check_organization(organization_id)
    await _delete(resources, organization_id, (Level.ORGANIZATION, organization_id))


@router.get("/events/{event_id}/charges", responses=problems(404))
async def get_event_charges(event_id: UUID, grant: Reader, resources: ResourcesDep) -> ChargesAnswer:
    """Show the fees and taxes of an event itself; 404 where those of its organization count."""
    async with connection(resources.pool, grant.organization_id) as conn:
        if await load_event(conn, grant.organization_id, event_id) is None:
            raise EventNotFound
        return await _answer(conn, grant.organization_id, event_id)


@router.put("/events/{event_id}/charges", responses=problems(404))
async def put_event_charges(event_id: UUID, body: ChargesBody, grant: Pricer, resources: ResourcesDep) -> ChargesAnswer:
    """Declare the fees and taxes of an event, instead of its organization's. What is held or sold keeps its price."""
    return await _put(resources, grant.organization_id, (Level.EVENT, event_id), body)


@router.delete("/events/{event_id}/charges", status_code=204, responses=problems(404))
async def delete_event_charges(event_id: UUID, grant: Pricer, resources: ResourcesDep) -> None:
    """Let the organization's fees and taxes count again."""
    await _delete(resources, grant.organization_id, (Level.EVENT, event_id))


@router.get("/sessions/{session_id}/charges", responses=problems(404))
async def get_session_charges(session_id: UUID, grant: Reader, resources: ResourcesDep) -> ChargesAnswer:
    """Show the fees and taxes of a session itself; 404 where those of its event or organization count."""
    async with connection(resources.pool, grant.organization_id) as conn:
        if await load_terms(conn, grant.organization_id, session_id) is None:
            raise SessionNotFound
        return await _answer(conn, grant.organization_id, session_id)


@router.put("/sessions/{session_id}/charges", responses=problems(404))
async def put_session_charges(
    session_id: UUID, body: ChargesBody, grant: Pricer, resources: ResourcesDep
) -> ChargesAnswer:
    """Declare the fees and taxes of a session, instead of its event's. What is held or sold keeps its price."""
    return await _put(resources, grant.organization_id, (Level.SESSION, session_id), body)


@router.delete("/sessions/{session_id}/charges", status_code=204, responses=problems(404))
async def delete_session_charges(session_id: UUID, grant: Pricer, resources: ResourcesDep) -> None:
    """Let the fees and taxes of the event, or of the organization, count again."""
    await _delete(resources, grant.organization_id, (Level.SESSION, session_id))


async def _put(
    resources: Resources, organization_id: UUID, where: tuple[Level, UUID], body: ChargesBody
) -> ChargesAnswer:
    async with transaction(resources.pool, organization_id) as conn:
        await set_charges(conn, resources.make_id, organization_id, where, body.charges())
        return await _answer(conn, organization_id, where[1])


async def _delete(resources: Resources, organization_id: UUID, where: tuple[Level, UUID]) -> None:
    async with transaction(resources.pool, organization_id) as conn:
        await set_charges(conn, resources.make_id, organization_id, where, None)


async def _answer(conn: Connection, organization_id: UUID, declared_for: UUID) -> ChargesAnswer:
    declared = await load_declared(conn, organization_id, declared_for)
    if declared is None:
        raise ChargesNotFound
    return _charges_answer(declared)


def _charges_answer(declared: Declared) -> ChargesAnswer:
    charges = declared.charges
    return ChargesAnswer(
        id=charges.charges_id,
        declared_at=declared.declared_at,
        currency=charges.currency,
        fees=tuple(
            FeeBody(
                name=fee.name,
                per=fee.per,
                payer=fee.payer,
                amount_minor=fee.amount_minor,
                percent=percent_text(fee.rate),
            )
            for fee in charges.fees
        ),
        taxes=tuple(TaxBody(name=tax.name, percent=percent_text(tax.rate), on=tax.on) for tax in charges.taxes),
        taxes_included=charges.taxes_included,
        round_by=charges.round_by,
        half=charges.half,
    )
