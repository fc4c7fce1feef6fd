"""How far a transfer is, how fast, and how long it will still take. Pure but for the clock."""

from __future__ import annotations

from avpipe.cloud.values import Clock
from avpipe.updates import Progress

EVERY_S = 0.2
"""Between two reports."""


class Pace:
    """Makes the progress updates of one transfer."""

    def __init__(self, stage: str, total_bytes: int | None, clock: Clock, done_bytes: int = 0):
        self._stage = stage
        self._total = total_bytes
        self._clock = clock
        self._began = self._told = clock.monotonic()
        self._first = done_bytes

    def at(self, done_bytes: int) -> Progress | None:
        """The update to tell, None where the last one is too recent."""
        now = self._clock.monotonic()
        if now - self._told < EVERY_S and done_bytes != self._total:
            return None
        self._told = now
        speed = self.speed(done_bytes)
        left = None if self._total is None else max(self._total - done_bytes, 0)
        return Progress(
            stage=self._stage,
            done=0.0 if not self._total else min(done_bytes / self._total, 1.0),
            speed=speed,
            eta_s=left / speed if speed and left is not None else None,
        )

    def speed(self, done_bytes: int) -> float | None:
        """Bytes a second so far; None before it can be told."""
        elapsed = self._clock.monotonic() - self._began
        return (done_bytes - self._first) / elapsed if elapsed > 0 else None
