"""The order in which what is asked of a session, or by a user, is done: as it came."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from avpipe.errors import RateLimitedError

MOST_WAITING = 20
"""Of one session or user, with those whose turn it is."""


class Turns:
    """A few things at a time of each session, or user, whoever else asks."""

    def __init__(self, what: str, *, at_once: int = 1) -> None:
        self._what = what
        self._at_once = at_once
        self._gates: dict[str, asyncio.Semaphore] = {}
        self._waiting: Counter[str] = Counter()

    def require_room(self, whose: str) -> None:
        """Raise RateLimitedError where too much waits already."""
        if self._waiting[whose] >= MOST_WAITING:
            raise RateLimitedError(f"too many {self._what} are waiting")

    def join(self, whose: str) -> contextlib.AbstractAsyncContextManager[None]:
        """A place in the queue from now on; entering it waits for the turn, leaving it ends it."""
        self._waiting[whose] += 1
        gate = self._gates.setdefault(whose, asyncio.Semaphore(self._at_once))
        return self._turn(whose, gate)

    @contextlib.asynccontextmanager
    async def _turn(self, whose: str, gate: asyncio.Semaphore) -> AsyncIterator[None]:
        try:
            async with gate:
                yield
        finally:
            self._waiting[whose] -= 1
            if not self._waiting[whose]:
                del self._waiting[whose], self._gates[whose]
