"""Routes of the books: statements and lines of the ledger, and CSV files."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from fullhouse.access.http import requires
from fullhouse.access.rules import Grant
from fullhouse.core.json import Json
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.http import (
    ApiModel,
    Cursor,
    Instant,
    Limit,
    Page,
    ResourcesDep,
    decode_cursor,
    page_of,
    problems,
)
from fullhouse.infra.postgres import connection, transaction
from fullhouse.reports.export_csv import Exporter
from fullhouse.reports.queries import list_ledger_lines, load_statement
from fullhouse.reports.rules import AccountLine, ExportKind, LedgerLine, Scope

router = APIRouter(tags=["reports"])

CSV_TYPE = "text/csv; charset=utf-8"
_LIST = "ledger"


async def get_exporter(request: Request) -> Exporter:
    """Hand a route the exports of this process."""
    exporter: Exporter = request.app.state.exporter
    return exporter


class ScopeQuery(ApiModel):
    """What of the books is asked for; what is left out asks for all."""

    event_id: UUID | None = None
    session_id: UUID | None = None
    since: Annotated[Instant | None, Query(alias="from", description="This instant or later.")] = None
    until: Annotated[Instant | None, Query(alias="to", description="Before this instant.")] = None

    def scope(self, organization_id: UUID) -> Scope:
        """Translate to the domain."""
        return Scope(organization_id, self.event_id, self.session_id, self.since, self.until)


class LinesQuery(ScopeQuery):
    """The same, by page."""

    cursor: Cursor = None
    limit: Limit = 50


class AccountAnswer(ApiModel):
    """One account in one currency: what was on it before, went in and out, and is on it at the end.

    What an account receives is positive. What belongs to others, as sales belong to the organization, is negative.
    """

    account: str
    currency: str
    opening_minor: int
    received_minor: int
    given_minor: int
    closing_minor: int


class StatementAnswer(ApiModel):
    """Every account on which anything was ever entered. The closings of a currency sum to zero."""

    accounts: list[AccountAnswer]


class LedgerLineAnswer(ApiModel):
    """One line of an entry; the lines of an entry sum to zero."""

    entry_id: UUID
    line: int
    account: str
    amount_minor: int
    currency: str
    order_id: UUID
    payment_id: UUID | None
    refund_id: UUID | None
    dispute_id: UUID | None
    event_id: UUID
    session_id: UUID
    entered_at: Instant


@router.get("/organizations/{organization_id}/ledger", dependencies=[requires("report:read")], responses=problems(404))
async def get_statement(
    organization_id: UUID, query: Annotated[ScopeQuery, Query()], resources: ResourcesDep
) -> StatementAnswer:
    """Show the balances of the organization, or of an event or session, now or over a span of time."""
    async with connection(resources.pool, organization_id) as conn:
        lines = await load_statement(conn, query.scope(organization_id))
    return StatementAnswer(accounts=[_account(line) for line in lines])


@router.get(
    "/organizations/{organization_id}/ledger/lines", dependencies=[requires("report:read")], responses=problems(404)
)
async def get_ledger_lines(
    organization_id: UUID, query: Annotated[LinesQuery, Query()], resources: ResourcesDep
) -> Page[LedgerLineAnswer]:
    """List the lines of the ledger, the oldest first."""
    after = decode_cursor(_LIST, query.cursor, (datetime, UUID, int))
    async with connection(resources.pool, organization_id) as conn:
        found = await list_ledger_lines(
            conn,
            query.scope(organization_id),
            (after[0], after[1], after[2]) if after else None,
            query.limit + 1,
        )
    return page_of(_LIST, found, query.limit, _line, lambda line: (line.entered_at, line.entry_id, line.line))


@router.get(
    "/organizations/{organization_id}/exports/{kind}",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The file.", "content": {"text/csv": {"schema": {"type": "string"}}}},
        **problems(404),
    },
)
async def get_export(
    organization_id: UUID,
    kind: ExportKind,
    grant: Annotated[Grant, requires("report:read")],
    query: Annotated[ScopeQuery, Query()],
    resources: ResourcesDep,
    exporter: Annotated[Exporter, Depends(get_exporter)],
) -> StreamingResponse:
    """Send a CSV file of any length. Who may not read orders gets those without names and addresses."""
    may_see = "order:read" in grant.actor.permissions
    rows = exporter.export_csv(kind, query.scope(organization_id), with_contacts=may_see)
    heading = await anext(rows)
    details: dict[str, Json] = {"kind": kind, **query.model_dump(mode="json", exclude_none=True)}
    async with transaction(resources.pool, organization_id) as conn:
        await record(conn, organization_id, Act("report.export", "organization", organization_id, details))
    name = f"{kind}-{resources.clock():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return StreamingResponse(_with_heading(heading, rows), media_type=CSV_TYPE, headers=headers)


async def _with_heading(heading: bytes, rows: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(rows):
        yield heading
        async for some in rows:
            yield some


def _account(line: AccountLine) -> AccountAnswer:
    return AccountAnswer(
        account=line.account,
        currency=line.currency,
        opening_minor=line.opening_minor,
        received_minor=line.received_minor,
        given_minor=line.given_minor,
        closing_minor=line.closing_minor,
    )


def _line(line: LedgerLine) -> LedgerLineAnswer:
    return LedgerLineAnswer(
        entry_id=line.entry_id,
        line=line.line,
        account=line.account,
        amount_minor=line.amount_minor,
        currency=line.currency,
        order_id=line.order_id,
        payment_id=line.payment_id,
        refund_id=line.refund_id,
        dispute_id=line.dispute_id,
        event_id=line.event_id,
        session_id=line.session_id,
        entered_at=line.entered_at,
    )
