"""From the rate of the exact fit to that of the features: half as many samples a second."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

_PAIRS = 12
_REACH = 2 * _PAIRS
_AT = np.arange(1, _REACH, 2)
_KAISER = np.i0(8 * np.sqrt(1 - (_AT / _REACH) ** 2)) / np.i0(8.0)
_TAPS: Samples = np.asarray(np.sinc(_AT / 2) / 2 * _KAISER, np.float32)
"""(_PAIRS,) of a half-band filter: at the even places it is 0, and 1/2 in the middle."""


@dataclass
class Halver:
    """Takes a sound block by block, of even sizes but for the last; keeps sample 0 at time 0."""

    _rest: Samples = field(default_factory=lambda: np.zeros(_REACH, np.float32))

    def push(self, block: Samples) -> Samples:
        """Give what is complete of the half-rate sound, after adding (n,) samples."""
        pending = np.concatenate([self._rest, block])
        size = max((pending.size - 2 * _REACH + 1) // 2, 0)
        self._rest = pending[2 * size :]
        out = pending[_REACH : _REACH + 2 * size : 2] * np.float32(0.5)
        for distance, tap in zip(_AT, _TAPS, strict=True):
            before, after = _REACH - distance, _REACH + distance
            pair = pending[before : before + 2 * size : 2] + pending[after : after + 2 * size : 2]
            out += tap * pair
        return out

    def finish(self) -> Samples:
        """Give the rest, as if silence followed."""
        return self.push(np.zeros(_REACH, np.float32))
