"""The documents are written when somebody first asks, once, and tried again where that failed."""

import asyncio
from threading import get_ident

import pytest

from fullhouse.web.docs import Library
from fullhouse.web.openapi import Document

DOCUMENT: Document = {
    "info": {"title": "Fullhouse", "version": "0", "description": ""},
    "paths": {},
    "components": {"schemas": {}},
}


async def test_all_who_ask_at_once_wait_for_one_writing_outside_the_loop() -> None:
    threads: list[int] = []

    def build() -> Document:
        threads.append(get_ident())
        return DOCUMENT

    library = Library(build)
    assert threads == []
    first, *others = await asyncio.gather(*(library.documents() for _ in range(5)))
    assert all(other is first for other in others)
    assert await library.documents() is first
    assert len(threads) == 1
    assert threads != [get_ident()]


async def test_whoever_goes_away_leaves_the_writing_to_the_others() -> None:
    library = Library(lambda: DOCUMENT)
    leaves = asyncio.create_task(library.documents())
    await asyncio.sleep(0)
    stays = asyncio.create_task(library.documents())
    await asyncio.sleep(0)
    leaves.cancel()
    assert (await stays).openapi.body.startswith(b'{"info":')
    with pytest.raises(asyncio.CancelledError):
        await leaves


async def test_a_writing_that_failed_is_tried_again() -> None:
    answers = [DOCUMENT]

    def build() -> Document:
        if len(answers) == 1:
            answers.append(DOCUMENT)
            raise RuntimeError("not now")
        return answers[0]

    library = Library(build)
    with pytest.raises(RuntimeError, match="not now"):
        await library.documents()
    assert (await library.documents()).openapi.etag
