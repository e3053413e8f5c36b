"""Creating codes, and changing them."""

from dataclasses import asdict
from uuid import UUID

from fullhouse.core.ids import MakeId
from fullhouse.infra.audit_log import Act, record
from fullhouse.infra.postgres import Connection, constraint_errors
from fullhouse.pricing import code_queries, code_writes
from fullhouse.pricing.codes import Code, CodeExists, CodeNotFound, CodeTerms


async def create_code(conn: Connection, make_id: MakeId, organization_id: UUID, terms: CodeTerms) -> Code:
    """Create a code. The caller has checked what it names. Raises ``CodeExists``."""
    code_id = make_id()
    await _put(conn, organization_id, code_id, terms)
    await record(conn, organization_id, Act("code.create", "code", code_id))
    return await _load(conn, organization_id, code_id)


async def change_code(conn: Connection, organization_id: UUID, code_id: UUID, terms: CodeTerms) -> Code:
    """Put other terms in the place of a code's. What was held or ordered with it keeps its price.

    A limit below what is used already lets nobody use it any more, and takes it from nobody. Raises ``CodeNotFound``
    and ``CodeExists``.
    """
    before = await code_writes.lock_code(conn, organization_id, code_id)
    if before is None:
        raise CodeNotFound
    await _put(conn, organization_id, code_id, terms)
    was, becomes = asdict(before.terms), asdict(terms)
    fields = [name for name in was if was[name] != becomes[name]]
    await record(conn, organization_id, Act("code.update", "code", code_id, {"fields": list(fields)}))
    return await _load(conn, organization_id, code_id)


async def _put(conn: Connection, organization_id: UUID, code_id: UUID, terms: CodeTerms) -> None:
    with constraint_errors({"codes_code": CodeExists}):
        await code_writes.put_code(conn, organization_id, code_id, terms)


async def _load(conn: Connection, organization_id: UUID, code_id: UUID) -> Code:
    code = await code_queries.load_code(conn, organization_id, code_id)
    assert code is not None  # noqa: S101 (this transaction wrote it)
    return code
