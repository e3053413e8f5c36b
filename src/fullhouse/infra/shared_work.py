"""Work that is under way is shared: many who want the same at one moment cost one of it."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SharedWork(Generic[Key, Value]):
    """What is being made, by key. What was made is kept by whoever wants to keep it."""

    def __init__(self, name: str) -> None:
        """Begin with nothing. ``name`` is that of the tasks, such as ``open stream``."""
        self._name = name
        self._under_way: dict[Key, asyncio.Task[Value]] = {}

    def __len__(self) -> int:
        """Say how much is under way."""
        return len(self._under_way)

    async def get(self, key: Key, make: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """Wait for what others have begun, or begin it. Who goes away does not take it from those who wait with them.

        Raises what ``make`` raises, for all who wait, and remembers no failure.
        """
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(make(), name=f"{self._name} {key}")
            task.add_done_callback(lambda done: self._end(key, done))
        return await asyncio.shield(task)

    async def settle(self) -> None:
        """Wait until nothing is under way, however it ends."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _end(self, key: Key, done: asyncio.Task[Value]) -> None:
        del self._under_way[key]
        if not done.cancelled():
            # It counts as seen, also where all who waited have gone.
            done.exception()
