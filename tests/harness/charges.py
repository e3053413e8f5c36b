"""Fees and taxes for tests: declared by the product's own function, as an organizer's call would."""

from uuid import UUID

from fullhouse.catalogue.set_charges import set_charges
from fullhouse.infra import system
from fullhouse.infra.postgres import Pool, transaction
from fullhouse.pricing.codes import Code, CodeTerms
from fullhouse.pricing.rules import Charges, Fee, FeePer, Level, Payer, RoundBy, Tax
from fullhouse.pricing.set_code import create_code

UNDECLARED = UUID(int=0)
SERVICE = Fee("Service fee", FeePer.TICKET, Payer.BUYER, amount_minor=100, rate=20_000)
ORDER_FEE = Fee("Order fee", FeePer.ORDER, Payer.BUYER, amount_minor=99)
PLATFORM = Fee("Platform", FeePer.TICKET, Payer.ORGANIZER, amount_minor=30)
VAT = Tax("VAT", 200_000)


async def declare(
    pool: Pool,
    organization_id: UUID,
    *fees: Fee,
    taxes: tuple[Tax, ...] = (),
    taxes_included: bool = True,
    round_by: RoundBy = RoundBy.LINE,
    where: tuple[Level, UUID] | None = None,
    currency: str = "EUR",
) -> None:
    """Declare for an organization, unless something else is named."""
    charges = Charges(UNDECLARED, currency, fees, taxes, taxes_included, round_by)
    async with transaction(pool, organization_id) as conn:
        await set_charges(
            conn, system.make_id, organization_id, where or (Level.ORGANIZATION, organization_id), charges
        )


async def new_code(pool: Pool, organization_id: UUID, terms: CodeTerms) -> Code:
    """Make a code as an organizer's call would."""
    async with transaction(pool, organization_id) as conn:
        return await create_code(conn, system.make_id, organization_id, terms)
