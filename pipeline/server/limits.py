"""How many requests one client may make: a bucket that fills at a steady pace."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

MOST_CLIENTS = 10_000
_BURST_S = 4.0
"""How much of the pace may come at once."""


class Limits:
    """Buckets by client; those that were not used for longest are forgotten."""

    def __init__(self, per_s: float, monotonic: Callable[[], float]) -> None:
        self._per_s = per_s
        self._most = max(per_s * _BURST_S, 1.0)
        self._monotonic = monotonic
        self._turn = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, client: str) -> bool:
        """Whether a client may make one more request now."""
        now = self._monotonic()
        with self._turn:
            (left, at) = self._buckets.pop(client, (self._most, now))
            left = min(left + (now - at) * self._per_s, self._most)
            allowed = left >= 1
            self._buckets[client] = (left - 1 if allowed else left, now)
            while len(self._buckets) > MOST_CLIENTS:
                self._buckets.popitem(last=False)
        return allowed
