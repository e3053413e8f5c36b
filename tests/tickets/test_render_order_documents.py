"""Documents of an order: rendered once for what they show, kept, and found again after any crash."""

from pathlib import Path
from uuid import UUID

import pypdfium2
import pytest
from harness.sold import Sell, Sold
from harness.stock import SERVER_KEY

from fullhouse.infra.object_store import ObjectStore, ObjectStoreUnavailable, open_object_store
from fullhouse.infra.postgres import Pool
from fullhouse.tickets import render_order_documents as module
from fullhouse.tickets.render_order_documents import Rendered, render_order_documents


async def render(sold: Sold, object_store: ObjectStore, only: UUID | None = None) -> Rendered | None:
    return await render_order_documents(
        sold.pool,
        object_store,
        SERVER_KEY,
        sold.organization_id,
        sold.order_id,
        only,
    )


async def noted(pool: Pool, sold: Sold) -> list[tuple[str, str, int]]:
    rows = await pool.fetch(
        "SELECT object_key, content_type, size_bytes FROM ticket_documents WHERE order_id = $1 ORDER BY rendered_at",
        sold.order_id,
    )
    return [tuple(row) for row in rows]


def text_of(rendered: Rendered) -> list[str]:
    return [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(rendered.data)]


async def test_the_tickets_are_rendered_stored_and_noted(pool: Pool, sell: Sell, object_store: ObjectStore) -> None:
    sold = await sell(3)
    await sold.issue()
    rendered = await render(sold, object_store)
    assert rendered is not None
    assert rendered.object_key.startswith(f"{sold.organization_id}/orders/{sold.order_id}/tickets-")
    assert await object_store.get(rendered.object_key) == rendered.data
    assert await noted(pool, sold) == [(rendered.object_key, "application/pdf", len(rendered.data))]
    pages = text_of(rendered)
    assert len(pages) == 3
    for number, page in enumerate(pages, start=1):
        for said in ("A concert", "Test hall", "Ana Souza", "adult", "€25.00", f"{number} of 3"):
            assert said in page, said


async def test_it_speaks_the_language_of_the_order(sell: Sell, object_store: ObjectStore) -> None:
    sold = await sell(1, language="pt-BR")
    await sold.issue()
    rendered = await render(sold, object_store)
    assert rendered is not None
    [page] = text_of(rendered)
    assert "1 de 1" in page
    assert "INGRESSO" in page


async def test_what_is_stored_is_not_rendered_again(
    pool: Pool, sell: Sell, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = await sell(2)
    await sold.issue()
    first = await render(sold, object_store)

    def never(_: object) -> bytes:
        raise AssertionError("rendered again")

    monkeypatch.setattr(module, "render_pdf", never)
    assert await render(sold, object_store) == first
    assert len(await noted(pool, sold)) == 1


async def test_a_crash_before_the_note_is_made_good(pool: Pool, sell: Sell, object_store: ObjectStore) -> None:
    sold = await sell(1)
    await sold.issue()
    first = await render(sold, object_store)
    await pool.execute("DELETE FROM ticket_documents WHERE order_id = $1", sold.order_id)
    assert await render(sold, object_store) == first
    assert len(await noted(pool, sold)) == 1


async def test_a_store_that_is_away_leaves_no_note(pool: Pool, sell: Sell, tmp_path: Path) -> None:
    sold = await sell(1)
    await sold.issue()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ObjectStoreUnavailable):
        await render(sold, open_object_store(str(tmp_path / "file")))
    assert await noted(pool, sold) == []


async def test_one_ticket_keeps_its_number(sell: Sell, object_store: ObjectStore) -> None:
    sold = await sell(3)
    await sold.issue()
    by_unit = {ticket.unit_id: ticket.ticket_id for ticket in await sold.tickets()}
    for number, unit in enumerate(await sold.units(), start=1):
        rendered = await render(sold, object_store, by_unit[unit.unit_id])
        assert rendered is not None
        [page] = text_of(rendered)
        assert f"{number} of 3" in page


async def test_a_void_ticket_is_in_no_document(sell: Sell, object_store: ObjectStore) -> None:
    sold = await sell(2)
    gone, _ = await sold.issue()
    whole = await render(sold, object_store)
    await sold.refund(gone.unit_id)
    rest = await render(sold, object_store)
    assert whole is not None
    assert rest is not None
    assert rest.object_key != whole.object_key
    assert len(text_of(rest)) == 1
    assert await render(sold, object_store, gone.ticket_id) is None
    await sold.refund()
    assert await render(sold, object_store) is None


async def test_an_order_without_tickets_has_no_document(pool: Pool, sell: Sell, object_store: ObjectStore) -> None:
    sold = await sell(1)
    assert await render(sold, object_store) is None
    assert await noted(pool, sold) == []
