"""The outline of a sound: its least and greatest sample in each of some thousand steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAST_STEP_S = 0.005


class Outline:
    """Takes samples piece by piece."""

    def __init__(self, duration_s: float, rate: int, steps: int) -> None:
        self._rate = rate
        self._size = max(round(max(duration_s / steps, _LEAST_STEP_S) * rate), 1)
        self._expected = max(duration_s * rate, 1.0)
        self._taken = 0
        self._rest = np.zeros(0, np.float32)
        self._low: list[int] = []
        self._high: list[int] = []

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take what comes next."""
        self._taken += samples.size
        samples = np.concatenate([self._rest, samples])
        whole = samples.size - samples.size % self._size
        self._add(samples[:whole].reshape(-1, self._size))
        self._rest = samples[whole:]

    @property
    def done(self) -> float:
        """How much of it has come, from 0 to 1."""
        return min(self._taken / self._expected, 1.0)

    def form(self) -> dict[str, Any]:
        """The outline as JSON; -127 to 127 is from the least to the greatest sample there can be.

        A file that did not tell its length has as many steps as it needs.
        """
        if self._rest.size:
            self._add(self._rest.reshape(1, -1))
            self._rest = np.zeros(0, np.float32)
        return {
            "step_s": self._size / self._rate,
            "duration_s": self._taken / self._rate,
            "low": self._low,
            "high": self._high,
        }

    def _add(self, steps: NDArray[np.float32]) -> None:
        if not steps.size:
            return
        for values, extreme in ((self._low, steps.min(axis=1)), (self._high, steps.max(axis=1))):
            values.extend(np.clip(np.round(extreme * 127), -127, 127).astype(int).tolist())
