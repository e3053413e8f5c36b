"""Reading more rows than fit into memory: a cursor on the server, from one snapshot."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, LiteralString, cast

from fullhouse.infra.postgres import Pool, Record, Whose, transaction

ROWS_PER_FETCH = 500


async def stream_rows(
    pool: Pool, whose: Whose, query: LiteralString, *args: object
) -> AsyncGenerator[Sequence[Record]]:
    """Yield the rows of a query in batches, as they stood when it began. One connection is taken all the while.

    Who reads them may pause for at most ten minutes. Raises ``DatabaseUnavailable``.
    """
    async with transaction(pool, whose) as conn:
        await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        await conn.execute("SET LOCAL idle_in_transaction_session_timeout = '10min'")
        rows = await cast("Any", conn).cursor(query, *args)
        while batch := await rows.fetch(ROWS_PER_FETCH):
            yield batch
