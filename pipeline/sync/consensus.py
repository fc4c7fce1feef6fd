"""One line through the peaks of many blocks: lag = a + slope * t, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.peaks import Peaks

Doubles = NDArray[np.float64]

MAX_SLOPE = 500e-6
"""Drifts beyond this are no clock's."""
_Z0 = 4.0
_NEAR_S = 0.1
_ANCHORS = 120
_RIVAL_S = 0.35
_SLOPE_PRIOR = 60e-6
_PEAK_ERROR_S = 0.012


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Line:
    """Recorder time minus camera time is `lag_s + slope * t` at t seconds of the camera."""

    lag_s: float
    slope: float
    score: float
    """Sum over the blocks of what their peak near the line is above 4 deviations."""
    blocks: int
    """How many blocks have such a peak."""
    slope_error: float
    """One sigma of the slope as the blocks' peaks give it."""
    contest: float = 1.0
    """Share of the best line's support, block by block, that this line has as well."""

    def at(self, time_s: float) -> float:
        """Give the lag at a time of the camera."""
        return self.lag_s + self.slope * time_s

    def turned(self, rate: float) -> Line:
        """The same line where the recorder's blocks were laid along the camera's sound.

        `rate` is how many seconds of the recorder are supposed to be one of the camera.
        """
        scale = 1 + self.slope
        return replace(self, lag_s=-self.lag_s / (rate * scale), slope=1 / scale - 1)


def find_lines(peaks: Peaks, count: int = 4, limit: float = MAX_SLOPE) -> tuple[Line, ...]:
    """Give the best lines, best first, that are apart from each other at every block.

    Slopes go up to `limit`.
    """
    left = np.maximum(peaks.z - _Z0, 0.0)
    lines: list[Line] = []
    weight = left.copy()
    for _ in range(count):
        line = _best_line(peaks, weight, left, limit)
        if line is None or line.score <= 0:
            break
        lines.append(line)
        near = np.abs(peaks.lag_s - line.at(0) - line.slope * peaks.time_s[:, None]) < _RIVAL_S
        weight = np.where(near, 0.0, weight)
    lines.sort(key=lambda line: -line.score)
    first = _support(peaks, left, lines[0]) if lines else left[:, 0]
    return tuple(
        replace(
            line,
            contest=float(np.minimum(_support(peaks, left, line), first).sum() / first.sum()),
        )
        for line in lines
    )


def _support(peaks: Peaks, weight: Doubles, line: Line) -> Doubles:
    """(blocks,) weight of the best peak near the line."""
    error = np.abs(peaks.lag_s - (line.lag_s + line.slope * peaks.time_s)[:, None])
    return np.asarray(np.where(error < _NEAR_S, weight, 0.0).max(axis=1))


def _best_line(peaks: Peaks, weight: Doubles, full: Doubles, limit: float) -> Line | None:
    """Try lines of every slope through each of the strongest peaks; refit the best."""
    order = np.argsort(weight, axis=None)[::-1][:_ANCHORS]
    order = order[weight.reshape(-1)[order] > 0]
    if order.size == 0:
        return None
    block, _ = np.unravel_index(order, weight.shape)
    lag, time = peaks.lag_s.reshape(-1)[order], peaks.time_s[block]
    best = (-1.0, 0.0, 0.0)
    for slope in _slopes(peaks, limit):
        scores = _scores(peaks, weight, lag - slope * time, slope)
        top = int(np.argmax(scores - 1e-3 * abs(slope) / limit))
        if scores[top] > best[0] + 1e-9:
            best = (float(scores[top]), float(lag[top] - slope * time[top]), float(slope))
    return _refit(peaks, full, best[1], best[2], limit)


def _slopes(peaks: Peaks, limit: float) -> Doubles:
    """Slopes to try, flat first, so close that the ends of the recording stay within reach."""
    extent = float(np.ptp(peaks.time_s)) + 1e-9
    steps = int(np.clip(np.ceil(limit * extent / (0.8 * _NEAR_S)), 0, 400))
    grid = np.linspace(-limit, limit, 2 * steps + 1)
    return grid[np.argsort(np.abs(grid), kind="stable")]


def _scores(peaks: Peaks, weight: Doubles, lags: Doubles, slope: float) -> Doubles:
    """(lines,) sum over the blocks of their best peak near each line."""
    level = peaks.lag_s - slope * peaks.time_s[:, None]
    out = np.zeros(lags.size)
    for column in range(0, lags.size, 16):
        part = lags[column : column + 16]
        near = np.abs(level[None] - part[:, None, None]) < _NEAR_S
        out[column : column + 16] = (near * weight[None]).max(axis=2).sum(axis=1)
    return out


def _refit(
    peaks: Peaks, weight: Doubles, lag: float, slope: float, limit: float = MAX_SLOPE
) -> Line:
    """Fit the line to its own peaks, three times, with a prior that holds the slope near 0."""
    time, rows = peaks.time_s, np.arange(peaks.time_s.size)
    slope_error = _SLOPE_PRIOR
    for _ in range(3):
        error = peaks.lag_s - (lag + slope * time)[:, None]
        gain = np.where(np.abs(error) < _NEAR_S, weight, 0.0)
        best = gain.argmax(axis=1)
        power = gain[rows, best]
        if power.sum() <= 0:
            break
        share = np.minimum(power, 20.0)
        middle = float((share * time).sum() / share.sum())
        lags = peaks.lag_s[rows, best]
        level = float((share * lags).sum() / share.sum())
        spread = float((share * (time - middle) ** 2).sum() / share.max())
        cross = float((share * (time - middle) * (lags - level)).sum() / share.max())
        ridge = (_PEAK_ERROR_S / _SLOPE_PRIOR) ** 2 if limit <= MAX_SLOPE else 1e-9
        slope = float(np.clip(cross / (spread + ridge), -limit, limit))
        slope_error = min(_PEAK_ERROR_S / np.sqrt(spread + 1e-9), MAX_SLOPE / 3)
        lag = level - slope * middle
    line = Line(lag_s=lag, slope=slope, score=0.0, blocks=0, slope_error=float(slope_error))
    gain = _support(peaks, weight, line)
    return replace(line, score=float(gain.sum()), blocks=int(np.count_nonzero(gain)))
