"""The order in which what is asked of a session is done: first come, first served."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from avpipe.errors import RateLimitedError

MOST_WAITING = 20
"""Sentences and moves by hand of one session."""


class Turns:
    """One thing at a time in each session."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._waiting: Counter[str] = Counter()

    def require_room(self, session_id: str) -> None:
        """Raise RateLimitedError where too much waits already."""
        if self._waiting[session_id] >= MOST_WAITING:
            raise RateLimitedError("too many messages are waiting")

    def join(self, session_id: str) -> contextlib.AbstractAsyncContextManager[None]:
        """A place in the queue from now on; entering it waits for the turn, leaving it ends it."""
        self._waiting[session_id] += 1
        return self._turn(session_id, self._locks.setdefault(session_id, asyncio.Lock()))

    @contextlib.asynccontextmanager
    async def _turn(self, session_id: str, lock: asyncio.Lock) -> AsyncIterator[None]:
        try:
            async with lock:
                yield
        finally:
            self._waiting[session_id] -= 1
            if not self._waiting[session_id]:
                del self._waiting[session_id], self._locks[session_id]
