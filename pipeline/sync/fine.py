"""The line to a fraction of a sample: windows' phase correlations, stacked and then fitted.

First all windows are summed along every line near the coarse one (a Radon transform), which finds
the line where no single window could; then each window, or group of windows, votes by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.middle import median
from avpipe.sync.windows import (
    FINE_RATE,
    Cross,
    Map,
    Pair,
    Read,
    Samples,
    correlations,
    correlations_at,
    cross_spectra,
    read_pairs,
)

Doubles = NDArray[np.float64]
Spans = Sequence[tuple[float, float]]
"""Begin and end of stretches, in seconds, in the order of time."""

REACH_S = 0.08
"""How far beside a coarse line the stack looks."""
_MOST_WINDOWS = 64
_LONG_WINDOWS = 40
_LONG_S = 256.0
_SCAN_WINDOWS = 24
_ENOUGH_WINDOWS = 12
_WIDEST_HOLE = 0.25
_HEIGHT_LIMIT = 12.0
_GRID_S = 12.5e-6
_NARROW_S = 1.0e-3
_INLIER_S = 0.3e-3
_BESIDE_S = 0.3e-3
_LEAST_SCALE_S = 1.0e-6
_LEAST_SIGMA_S = 0.3e-6
_LEAST_FIRM = 0.3
_BIAS_SHARE = 0.6
"""What makes the stated error of the offset cautious rather than too small."""
_SUPPORT_LAGS_S = np.arange(-4, 5) / FINE_RATE


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """The best line of the stack."""

    line: Map
    height: float
    """Over the deviation of the stack, had it been noise."""
    rival: float
    """Height of the best line more than 1 ms away, over the best one's."""
    inverted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Picks:
    """Where single windows, or groups of them, have their maximum."""

    time_s: Doubles
    residual_s: Doubles
    """From the line that the fit was started with."""
    height: Doubles
    """Over the deviation of that window."""
    group: int
    """Windows in one pick."""
    bias_s: float
    """What the room and other sound, the same in all windows, may have moved the maximum by."""


@dataclass(frozen=True, kw_only=True, slots=True)
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
    support: Doubles
    """(windows,) height of the whitened correlation on the line, in deviations of noise."""
    loudness: Doubles
    """(windows,) root mean square of the recorder's samples."""
    left_s: Doubles
    """(picks,) from the line."""

    def residuals(self) -> list[tuple[float, float, float, bool]]:
        """(time, residual, height, whether it is within 0.3 ms) of each pick."""
        return [
            (float(time), float(left), float(height), bool(abs(left) < _INLIER_S))
            for time, left, height in zip(
                self.picks.time_s, self.left_s, self.picks.height, strict=True
            )
        ]


def plan_windows(
    begin_s: float, end_s: float, known: Spans | None = None
) -> tuple[list[float], float]:
    """Give the middles and the length of windows that cover an overlap, or sample a long one.

    With `known` they lie within these stretches, in the order of time, if there is room; only
    holes of over a quarter of the overlap are looked into as well.
    """
    span = end_s - begin_s
    length = float(np.clip(span / 20, 0.5, 1.0)) if span < 96 else (2.0 if span < _LONG_S else 4.0)
    most = _MOST_WINDOWS if span < _LONG_S else _LONG_WINDOWS
    count = int(np.clip(span / length, 1, most))
    middles = begin_s + length / 2 + np.linspace(0, 1, count) * max(span - length, 0.0)
    if count == 1:
        middles = np.array([begin_s + span / 2])
    inside = [] if known is None else _within(known, (begin_s, end_s), length, count)
    if len(inside) < min(count, _ENOUGH_WINDOWS):
        return [float(middle) for middle in middles], length
    return sorted([*inside, *_in_holes(inside, (begin_s, end_s), length)]), length


def _within(known: Spans, ends: tuple[float, float], length: float, count: int) -> list[float]:
    """Middles of at most about `count` windows in what is known between the ends."""
    spans = [(max(a, ends[0]), min(b, ends[1])) for a, b in known]
    spans = [(a, b) for a, b in spans if b - a >= length]
    share = count / max(sum(b - a for a, b in spans), 1e-9)
    middles: list[float] = []
    for a, b in spans:
        number = int(np.clip(round(share * (b - a)), 1, (b - a) // length))
        places = np.array([0.5]) if number == 1 else np.linspace(0, 1, number)
        middles += [float(middle) for middle in a + length / 2 + places * (b - a - length)]
    return middles


def _in_holes(middles: Sequence[float], ends: tuple[float, float], length: float) -> list[float]:
    """Middles of windows in the holes of over a quarter of the whole, so that none is left."""
    widest = _WIDEST_HOLE * (ends[1] - ends[0])
    edges = [ends[0] + length / 2, *middles, ends[1] - length / 2]
    out: list[float] = []
    for a, b in pairwise(edges):
        if b - a > widest:
            out += [float(place) for place in np.linspace(a, b, int((b - a) // widest) + 2)]
    return [place for place in out if place not in middles]


def scan(
    camera: Read,
    recorder: Read,
    line: Map,
    windows: tuple[Sequence[float], float],
    *,
    slope_error: float,
    reach_s: float = REACH_S,
    most: int = _SCAN_WINDOWS,
) -> Stack | None:
    """Stack a part of the windows near a coarse line, to see whether anything is there."""
    times, length = windows
    part = times[:: -(-len(times) // most)]
    pairs = read_pairs(camera, recorder, line, part, length, reach_s)
    return stack_lines(cross_spectra(pairs, line, reach_s), line, slope_error, reach_s)


def stack_lines(cross: Cross, line: Map, slope_error: float, reach_s: float) -> Stack | None:
    """Sum the windows along every line near `line` and give the highest sum."""
    used = cross.loudness > 0
    if np.count_nonzero(used) < 1:
        return None
    reach = round(reach_s * FINE_RATE)
    middle = cross.size // 2
    level = correlations(cross)[used, middle - reach : middle + reach + 1]
    level /= level.std(axis=1, keepdims=True) + 1e-12
    np.clip(level, -_HEIGHT_LIMIT, _HEIGHT_LIMIT, out=level)
    time = cross.time_s[used]
    centre = float(time.mean())
    extent = float(np.abs(time - centre).max()) + 1e-9
    limit = min(max(3 * slope_error, 3e-6), 600e-6)
    steps = int(min(np.ceil(limit * extent * FINE_RATE), 4 * reach))
    slopes = np.linspace(-limit, limit, 2 * steps + 1) if steps else np.zeros(1)
    best, row, column = 0.0, 0, 0
    highest = np.zeros(level.shape[1], np.float32)
    for number, candidate in enumerate(slopes):  # all sums of 3 h would be 200 MB
        total = _sheared(level, (time - centre) * candidate)
        place = int(np.argmax(np.abs(total)))
        if abs(total[place]) > abs(best):
            best, row, column = float(total[place]), number, place
        np.maximum(highest, np.abs(total), out=highest)
    height = best / float(level.shape[0] ** 0.5)
    highest[max(column - 20, 0) : column + 21] = 0
    slope = float(slopes[row])
    offset = (float(column) - reach) / FINE_RATE
    return Stack(
        line=Map(lag_s=line.lag_s + offset - slope * centre, slope=line.slope + slope),
        height=abs(height),
        rival=float(highest.max()) / max(abs(best), 1e-9),
        inverted=height < 0,
    )


def _sheared(level: Samples, shifts_s: Doubles) -> Samples:
    """(lags,) sum of the rows, each read `shifts_s` later, to the nearest sample."""
    out = np.zeros(level.shape[1], np.float32)
    for row, shift in zip(level, np.rint(shifts_s * FINE_RATE).astype(int), strict=True):
        if shift == 0:
            out += row
        elif 0 < shift < row.size:
            out[:-shift] += row[shift:]
        elif -row.size < shift < 0:
            out[-shift:] += row[:shift]
    return out


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
            time_s=cross.time_s,
            support=supports(cross, stack.inverted),
            loudness=np.array([float(np.sqrt(np.mean(pair.recorder**2))) for pair in pairs]),
        )
    return fine


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
        bias_s=_bias(sums, lags),
    )


def _bias(level: Samples, lags: Doubles) -> float:
    """How far the common ripple beside the main maximum can have moved it: slope over bend."""
    mean = level.mean(axis=0).astype(np.float64)
    slope = np.gradient(mean, lags)
    top = int(np.clip(np.argmax(mean), 1, mean.size - 2))
    bend = abs(float(mean[top - 1] - 2 * mean[top] + mean[top + 1])) / _GRID_S**2
    beside = np.abs(lags - lags[top]) > _BESIDE_S
    return float(np.sqrt(np.mean(slope[beside] ** 2)) / max(bend, 1e-12))


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
    lag_error, slope_error = _errors(time - middle, left, power, scale)
    return Fine(
        line=Map(lag_s=line.lag_s + level - slope * middle, slope=line.slope + slope),
        lag_error_s=float(np.hypot(lag_error, _BIAS_SHARE * picks.bias_s)),
        slope_error=slope_error,
        middle_s=middle,
        inverted=stack.inverted,
        height=stack.height,
        rival=stack.rival,
        inliers=float(np.mean(np.abs(left) < _INLIER_S)),
        scatter_s=scale,
        picks=picks,
        time_s=np.zeros(0),
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


def _errors(time: Doubles, left: Doubles, power: Doubles, scale: float) -> tuple[float, float]:
    """One-sigma errors at the middle of a bisquare fit, from its own residuals (Huber 1981)."""
    share = np.clip(1 - (left / (4 * scale)) ** 2, 0, None)
    gain = power * share**2
    count = max(int(np.count_nonzero(gain)), 1)
    total, spread = float(gain.sum()), float((gain * time**2).sum())
    # What the fit gives way by when a pick moves: less than its weight, for far ones the opposite.
    bend = power * share * (5 * share - 4)
    firm = max(float(bend.sum()), _LEAST_FIRM * total)
    firm_slope = max(float((bend * time**2).sum()), _LEAST_FIRM * spread, 1e-12)
    lag = np.sqrt(float((gain**2 * left**2).sum())) / firm
    slope = np.sqrt(float((gain**2 * time**2 * left**2).sum())) / firm_slope
    floor = _LEAST_SIGMA_S / np.sqrt(count)
    return float(np.hypot(lag, floor)), float(
        np.hypot(slope, floor / np.sqrt(spread / total + 1e-9))
    )
