"""Work that begins without a task: what has limits of time asks for one first."""

import asyncio


async def be_a_task() -> None:
    """Go on in a task. Whoever began this without one makes it one when it waits for nothing in particular."""
    if asyncio.current_task() is None:
        await asyncio.sleep(0)
