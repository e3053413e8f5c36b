"""Routes of money cases: where a provider's books and ours differ, and a person has to put it right."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import APIRouter

from fullhouse.access.http import requires
from fullhouse.infra.http import (
    ApiModel,
    Cursor,
    Limit,
    Page,
    ResourcesDep,
    ShortName,
    decode_cursor,
    page_of,
    problems,
)
from fullhouse.infra.postgres import connection, transaction
from fullhouse.payments.cases.resolve_case import Ending, resolve_case
from fullhouse.payments.money_cases import CaseKind, MoneyCase, Resolution, list_cases

router = APIRouter(tags=["payments"])
_LIST = "money_cases"


class MoneyCaseAnswer(ApiModel):
    """A case. ``subject`` is what it is about in the provider's words, or else our id; ``detail`` is for people."""

    id: UUID
    kind: CaseKind
    provider: str
    subject: str
    order_id: UUID | None
    payment_id: UUID | None
    detail: str
    opened_at: datetime
    closed_at: datetime | None
    resolution: Resolution | None
    reference: str | None


class ResolveCase(ApiModel):
    """How the case was put right; the audit log keeps it. ``reference`` proves it, and says nothing about persons.

    A case about a refund ends with the name of the refund at the provider, with the number of the transfer or paper by
    which the buyer was paid, or as ``forfeited``; the ledger says so.
    """

    resolution: Resolution
    reference: ShortName | None = None


@router.get(
    "/organizations/{organization_id}/money-cases", dependencies=[requires("refund:write")], responses=problems(404)
)
async def get_cases(
    organization_id: UUID,
    resources: ResourcesDep,
    status: Literal["open", "closed"] = "open",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[MoneyCaseAnswer]:
    """List the cases that wait for a person, the oldest first, or with ``status=closed`` those that are closed."""
    after = decode_cursor(_LIST, cursor, (datetime, UUID))
    async with connection(resources.pool, organization_id) as conn:
        found = await list_cases(conn, organization_id, is_open=status == "open", after=after, count_max=limit + 1)
    return page_of(_LIST, found, limit, _answer, lambda case: (case.opened_at, case.case_id))


@router.post(
    "/organizations/{organization_id}/money-cases/{case_id}/resolve",
    dependencies=[requires("refund:write")],
    responses=problems(404, 409, 422),
)
async def post_resolve(
    organization_id: UUID, case_id: UUID, body: ResolveCase, resources: ResourcesDep
) -> MoneyCaseAnswer:
    """Close a case that was put right. It stays closed, whatever the next comparison finds; repeating is safe."""
    async with transaction(resources.pool, organization_id) as conn:
        ending = Ending(body.resolution, body.reference)
        return _answer(await resolve_case(conn, resources.make_id, organization_id, case_id, ending))


def _answer(case: MoneyCase) -> MoneyCaseAnswer:
    return MoneyCaseAnswer(
        id=case.case_id,
        kind=case.kind,
        provider=case.provider,
        subject=case.subject,
        order_id=case.order_id,
        payment_id=case.payment_id,
        detail=case.detail,
        opened_at=case.opened_at,
        closed_at=case.closed_at,
        resolution=case.resolution,
        reference=case.reference,
    )
