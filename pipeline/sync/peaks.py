"""Where one block fits best: the peaks along the other recording, which is told part by part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.middle import median

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

PEAKS = 6
"""Kept of each block."""
_NOISE = 1 << 17
"""Of more starts than twice that, so many tell how high noise is: they tell it to 0.3 %."""
_NEVER = -np.inf


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Peaks:
    """The lags at which each block of the camera fits best; lag = recorder time - camera time."""

    time_s: Doubles
    """(blocks,) middle of what the block has, on the camera's time line."""
    lag_s: Doubles
    """(blocks, PEAKS), best first."""
    z: Doubles
    """(blocks, PEAKS) height over the block's robust deviation; 0 where there is none."""
    block_s: float


@dataclass(frozen=True, slots=True, eq=False)
class _Peak:
    """A place that is higher than those around it, and how high its neighbours are."""

    height: float
    start: int
    left: float
    right: float


class Row:
    """How well a block fits at each start; of all that it is told it keeps the peaks."""

    def __init__(self, starts: int, *, least: float, most: float) -> None:
        """`least` is how many frames have to be shared, `most` how many are at the most."""
        self._least = np.float32(least)
        self._needed = min(least, most)
        self._usable = 0 if most >= 2 else -starts
        self._apart = max(int(least) // 8, 2)
        self._step = max(starts // _NOISE, 1)
        self._noise: list[Floats] = []
        self._found: list[_Peak] = []

    def add(self, first: int, line: Floats, shared: Floats) -> None:
        """(starts,) correlations from start `first` on, and how many frames are shared there."""
        usable = shared >= self._needed
        score: Floats = np.asarray(line / np.sqrt(np.maximum(shared, self._least)), np.float32)
        known = score[usable]  # what is not known is no noise, it is 0
        self._usable += known.size
        self._noise.append(known[:: self._step].copy())
        score[~usable] = _NEVER
        for _ in range(PEAKS):
            at = int(score.argmax())
            if score[at] == _NEVER:
                break
            (left, right) = (
                float(score[beside]) if 0 <= beside < score.size else _NEVER
                for beside in (at - 1, at + 1)
            )
            self._found.append(_Peak(float(score[at]), first + at, left, right))
            score[max(at - self._apart, 0) : at + self._apart + 1] = _NEVER

    def peaks(self) -> tuple[Doubles, Doubles]:
        """(PEAKS,) starts, from parabolas, and heights in robust deviations."""
        starts, heights = np.zeros(PEAKS), np.zeros(PEAKS)
        if self._usable < 2:
            return starts, heights
        noise = np.concatenate(self._noise)
        middle = np.float32(median(noise))
        spread = np.float32(1.4826 * median(np.abs(noise - middle)))
        if spread < 1e-6:
            return starts, heights
        for rank, peak in enumerate(self._highest()):
            (left, top, right) = (
                float((np.float32(height) - middle) / spread)
                for height in (peak.left, peak.height, peak.right)
            )
            if top <= 0:
                break
            starts[rank] = peak.start + _vertex(left, top, right)
            heights[rank] = top
        return starts, heights

    def _highest(self) -> list[_Peak]:
        """The highest of all parts that are apart from each other."""
        kept: list[_Peak] = []
        for peak in sorted(self._found, key=lambda peak: -peak.height):
            if all(abs(peak.start - other.start) > self._apart for other in kept):
                kept.append(peak)
        return kept[:PEAKS]


def _vertex(left: float, middle: float, right: float) -> float:
    """Where the parabola through a maximum and its neighbours is highest, from the maximum."""
    bend = left - 2 * middle + right
    if left <= 0 or right <= 0 or bend >= 0:
        return 0.0
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5))
