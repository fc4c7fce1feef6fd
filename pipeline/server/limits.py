"""How many requests one client may make: a bucket that fills at a steady pace."""

from __future__ import annotations

import hashlib
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
        self._known: OrderedDict[str, None] = OrderedDict()

    def know(self, token: str) -> None:
        """Keep that a token was good: who has it is counted as one client from now on."""
        with self._turn:
            self._known[_hash(token)] = None
            self._known.move_to_end(_hash(token))
            while len(self._known) > MOST_CLIENTS:
                self._known.popitem(last=False)

    def client_of(self, token: str, address: str) -> str:
        """Who is counted: a token that was good, else an address, or made-up ones had no bound."""
        known = _hash(token)
        with self._turn:
            return known if known in self._known else address

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


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
