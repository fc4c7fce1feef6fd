"""The line to a fraction of a sample: each window, or group of windows, votes by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.middle import median
from avpipe.sync.precision import stack_error, window_errors
from avpipe.sync.stack import REACH_S, Stack
from avpipe.sync.windows import (
    FINE_RATE,
    Cross,
    Map,
    Pair,
    Samples,
    correlations_at,
    cross_spectra,
)

Doubles = NDArray[np.float64]

_GRID_S = 12.5e-6
_NARROW_S = 1.0e-3
_INLIER_S = 0.3e-3
_LEAST_SCALE_S = 1.0e-6
_SUPPORT_LAGS_S = np.arange(-4, 5) / FINE_RATE


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picks:
    """Where single windows, or groups of them, have their maximum."""

    time_s: Doubles
    residual_s: Doubles
    """From the line that the fit was started with."""
    height: Doubles
    """Over the deviation of that window."""
    group: int
    """Windows in one pick."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Fine:
    """A line with its errors, and how well the windows agree with it."""

    line: Map
    lag_error_s: float
    """One sigma of the line at `middle_s`, where it is surest."""
    slope_error: float
    middle_s: float
    inverted: bool
    height: float
    rival: float
    inliers: float
    """Share of the picks within 0.3 ms of the line."""
    scatter_s: float
    """Robust deviation of the picks that are."""
    picks: Picks
    time_s: Doubles
    """(windows,) middles of the windows that were used."""
    window_s: float
    """How long each of them is."""
    support: Doubles
    """(windows,) height of the whitened correlation on the line, in deviations of noise."""
    loudness: Doubles
    """(windows,) root mean square of the recorder's samples, without their mean."""
    left_s: Doubles
    """(picks,) from the line."""

    @property
    def explains(self) -> float:
        """How much of each second the line explains, however long the windows are."""
        return each_second(self.support, self.window_s)

    @property
    def stack(self) -> Stack:
        """What a stack of all windows on the line said."""
        return Stack(line=self.line, height=self.height, rival=self.rival, inverted=self.inverted)

    def residuals(self) -> list[tuple[float, float, float, bool]]:
        """(time, residual, height, whether it is within 0.3 ms) of each pick."""
        return [
            (float(time), float(left), float(height), bool(abs(left) < _INLIER_S))
            for time, left, height in zip(
                self.picks.time_s, self.left_s, self.picks.height, strict=True
            )
        ]


def refine(pairs: Sequence[Pair], stack: Stack, reach_s: float = REACH_S) -> Fine | None:
    """Fit the line to what the windows say one by one, twice, the second time on its clock."""
    line = stack.line
    fine: Fine | None = None
    for _ in range(2):
        cross = cross_spectra(pairs, line, reach_s)
        if not cross.loudness.any():
            return None
        weight = _coherence_weight(cross, stack.inverted)
        fine = _fitted(_pick(cross, weight, stack.inverted), line, stack)
        if fine is None:
            return None
        line = fine.line
        fine = replace(
            fine,
            lag_error_s=max(fine.lag_error_s, stack_error(cross, weight, stack.inverted)),
            time_s=cross.time_s,
            window_s=pairs[0].camera.size / FINE_RATE,
            support=supports(cross, stack.inverted),
            loudness=np.array([float(pair.recorder.std()) for pair in pairs]),
        )
    return fine


def each_second(support: Doubles, window_s: float) -> float:
    """What windows of a length explain of each second: their support grows with its root."""
    return float(np.clip(support, 0.0, None).mean()) / math.sqrt(window_s)


def supports(cross: Cross, inverted: bool) -> Doubles:
    """(windows,) height of each window's correlation within 0.25 ms of the line, in deviations."""
    level = correlations_at(cross, _SUPPORT_LAGS_S, None) * (-1 if inverted else 1)
    noise = np.sqrt((np.abs(cross.spectra) ** 2).sum(axis=1) / 2) + 1e-20
    return np.asarray(level.max(axis=1) / noise, np.float64)


def _coherence_weight(cross: Cross, inverted: bool) -> Samples:
    """(bins,) weights after Hannan and Thomson (1973): bins where the windows agree count more."""
    used = cross.spectra[cross.loudness > 0]
    mean = used.mean(axis=0)
    power = (np.abs(used) ** 2).mean(axis=0) + 1e-20
    width = max(round(150 * cross.size / FINE_RATE), 3)
    kernel = np.full(width, 1 / width)
    agree = np.convolve((mean * (-1 if inverted else 1)).real, kernel, "same")
    spread = np.convolve(power, kernel, "same")
    share = np.clip(agree / np.sqrt(spread), 0.02, 0.98)
    weight = share / (1 - share**2) / np.sqrt(spread)
    return np.asarray(weight / weight.mean(), np.float32)


def _pick(cross: Cross, weight: Samples, inverted: bool) -> Picks:
    """Pick the maxima near the line, of as many windows together as it takes to be sure."""
    lags = np.arange(-_NARROW_S, _NARROW_S + _GRID_S / 2, _GRID_S)
    level = correlations_at(cross, lags, weight) * (-1 if inverted else 1)
    used = cross.loudness > 0
    level, time = level[used], cross.time_s[used]
    noise = np.sqrt((np.abs(cross.spectra[used] * weight) ** 2).sum(axis=1) / 2) + 1e-20
    group = 1
    while True:
        picks = _grouped(level, noise, time, lags, group)
        good = np.abs(picks.residual_s - median(picks.residual_s)) < _INLIER_S
        if good.mean() >= 0.8 or picks.time_s.size < 10:
            return picks
        group *= 2


def _grouped(level: Samples, noise: Samples, time: Doubles, lags: Doubles, group: int) -> Picks:
    """Maxima of the sums of `group` windows in a row."""
    starts = np.arange(0, time.size, group)
    sums = np.add.reduceat(level, starts, axis=0)
    deviation = np.sqrt(np.add.reduceat(noise**2, starts))
    counts = np.diff(np.append(starts, time.size))
    best = sums.argmax(axis=1)
    rows = np.arange(starts.size)
    inner = np.clip(best, 1, lags.size - 2)
    left, top, right = sums[rows, inner - 1], sums[rows, inner], sums[rows, inner + 1]
    bend = np.minimum(left - 2 * top + right, -1e-12)
    vertex = np.clip(0.5 * (left - right) / bend, -1, 1) * (best == inner)
    return Picks(
        time_s=np.add.reduceat(time, starts) / counts,
        residual_s=lags[best] + vertex * _GRID_S,
        height=np.asarray(sums[rows, best] / deviation, np.float64),
        group=group,
    )


def _fitted(picks: Picks, line: Map, stack: Stack) -> Fine | None:
    """Weighted straight line through the picks, outliers left out (bisquare)."""
    time, error = picks.time_s, picks.residual_s
    if time.size == 0:
        return None
    power = np.clip(picks.height, 1, 60) ** 2
    level, slope = median(error), 0.0
    middle = float((power * time).sum() / power.sum())
    scale = _INLIER_S
    gain = power
    for _ in range(12):
        distance = (error - level - slope * (time - middle)) / (4 * scale)
        gain = power * np.clip(1 - distance**2, 0, None) ** 2
        if np.count_nonzero(gain) < 1:
            return None
        middle, level, slope = _weighted_line(time, error, gain)
        left = error - level - slope * (time - middle)
        near = np.abs(left) < max(4 * scale, 2 * _LEAST_SCALE_S)
        scale = (
            float(np.clip(1.4826 * median(np.abs(left[near])), _LEAST_SCALE_S, scale))
            if near.any()
            else scale
        )
    left = error - level - slope * (time - middle)
    if not np.any(np.abs(left) < 4 * scale):
        return None  # no pick is near what all of them together say
    lag_error, slope_error = window_errors(time - middle, left, power, scale)
    return Fine(
        line=Map(lag_s=line.lag_s + level - slope * middle, slope=line.slope + slope),
        lag_error_s=lag_error,
        slope_error=slope_error,
        middle_s=middle,
        inverted=stack.inverted,
        height=stack.height,
        rival=stack.rival,
        inliers=float(np.mean(np.abs(left) < _INLIER_S)),
        scatter_s=scale,
        picks=picks,
        time_s=np.zeros(0),
        window_s=0.0,
        support=np.zeros(0),
        loudness=np.zeros(0),
        left_s=left,
    )


def _weighted_line(time: Doubles, value: Doubles, gain: Doubles) -> tuple[float, float, float]:
    """Middle, height there and slope of the weighted least-squares line; flat where it must be."""
    middle = float((gain * time).sum() / gain.sum())
    level = float((gain * value).sum() / gain.sum())
    spread = float((gain * (time - middle) ** 2).sum())
    if np.count_nonzero(gain > 0.01 * gain.max()) < 3 or spread <= 0:
        return middle, level, 0.0
    return middle, level, float((gain * (time - middle) * (value - level)).sum() / spread)
