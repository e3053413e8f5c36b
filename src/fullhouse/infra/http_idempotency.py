"""``Idempotency-Key`` at the edge: one effect, and its first answer for every repeat.

What is kept is the answer without its secrets; they are derived from ids, so the caller adds them to first answers
and to repeated ones alike.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Header, Response

from fullhouse.core.errors import Conflict, DomainError, Kind
from fullhouse.infra.http_models import ApiModel
from fullhouse.infra.idempotency import Claim, Kept, begin, fingerprint, keep
from fullhouse.infra.postgres import Connection, Pool, transaction

REPLAYED_HEADER = "Idempotency-Replayed"
CREATED_STATUS = 201
REFUSED_STATUS = 409

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]([ -~]*[!-~])?$",
        description="Repeat a request with the same key and body, and it happens once: the first answer is repeated.",
    ),
]
"""The header's value, of 1 to 255 printable ASCII characters, or None."""

Answer = TypeVar("Answer", bound=ApiModel)


class KeptRefusal(Conflict):
    """The refusal that the first request with this key heard, repeated as it was."""

    replayed = True

    def __init__(self, kept: Kept) -> None:
        """Take code, title, detail and fields from what was kept by ``refusal``."""
        super().__init__(kept.answer["detail"], **kept.answer["fields"])
        self.code = kept.answer["code"]  # pyright: ignore[reportAttributeAccessIssue] (one refusal's own code)
        self.title = kept.answer["title"]  # pyright: ignore[reportAttributeAccessIssue] (the same)


def refusal(refused: DomainError) -> dict[str, object]:
    """Write down a final refusal so that ``KeptRefusal`` can repeat it."""
    return {"code": refused.code, "title": refused.title, "detail": refused.detail, "fields": dict(refused.fields)}


def is_final(error: DomainError) -> bool:
    """Say whether a refusal is kept for repeats: those of state are; what is away, full or in flight may change."""
    return error.kind is Kind.CONFLICT and error.code != "idempotency_in_flight"


def claim_for(organization_id: UUID, scope: str, key: str | None, body: ApiModel | None = None) -> Claim | None:
    """Claim a key for a request, or nothing where none was sent. The scope names operation and thing: ``orders``."""
    if key is None:
        return None
    sent = body.model_dump(mode="json") if body is not None else None
    return Claim(organization_id, scope, key, fingerprint(sent))


async def idempotent(
    pool: Pool,
    organization_id: UUID,
    response: Response,
    claim: Claim | None,
    effect: Callable[[Connection], Awaitable[Answer]],
    *,
    model: type[Answer],
) -> Answer:
    """Run an effect in one transaction with its idempotency key, or repeat its first answer.

    ``effect`` is given the transaction's connection, must do all its work there, and returns the answer without
    secrets. A refusal that is final (kind conflict) is kept too, and what the effect wrote before it is undone.

    ::

        @router.post("/orders", status_code=201, responses=problems(404, 409))
        async def post_order(
            body: PlaceOrder, key: IdempotencyKey, response: Response, resources: ResourcesDep
        ) -> OrderAnswer:
            async def effect(conn: Connection) -> OrderAnswer:
                return answer(await place_order(conn, …))

            claim = claim_for(organization_id, "orders", key, body)
            placed = await idempotent(resources.pool, organization_id, response, claim, effect, model=OrderAnswer)
            return placed.model_copy(update={"secret": …})

    Raises ``IdempotencyInFlight``, ``IdempotencyKeyReused``, and whatever the effect raises.
    """
    if claim is None:
        async with transaction(pool, organization_id) as conn:
            return await effect(conn)
    async with transaction(pool, organization_id) as conn:
        kept = await begin(conn, claim)
        outcome = await _first(conn, claim, effect) if kept is None else kept
    if isinstance(outcome, DomainError):
        raise outcome
    if not isinstance(outcome, Kept):
        return outcome
    if outcome.status == REFUSED_STATUS:
        raise KeptRefusal(outcome)
    response.headers[REPLAYED_HEADER] = "true"
    response.status_code = outcome.status
    return model.model_validate(outcome.answer)


async def _first(
    conn: Connection, claim: Claim, effect: Callable[[Connection], Awaitable[Answer]]
) -> Answer | DomainError:
    await conn.execute("SAVEPOINT effect")
    try:
        answer = await effect(conn)
    except DomainError as refused:
        if not is_final(refused):
            raise
        await conn.execute("ROLLBACK TO SAVEPOINT effect")
        await keep(conn, claim, REFUSED_STATUS, refusal(refused))  # pyright: ignore[reportArgumentType] (is JSON)
        return refused
    await keep(conn, claim, CREATED_STATUS, answer.model_dump(mode="json"))
    return answer
