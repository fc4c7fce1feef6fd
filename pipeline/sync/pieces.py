"""Where one line does not do: samples lost, recorders paused, cameras cut.

Jumps of 60 ms and more are found in the features, block by block along the lines of the search;
smaller ones in the fine windows. Both by the cheapest path: staying is free, a jump has its price.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.features import FEATURE_RATE, Features
from avpipe.sync.windows import FINE_RATE, Cross, Map, Samples, correlations

Doubles = NDArray[np.float64]

BLOCK_S = 6.0
_REACH_S = 2.6
_BLOCK_PEAKS = 3
_SAME_S = 0.06
_Z0 = 3.5
_JUMP_COST = 9.0
_LEVEL_COST = 12.0
_MOST_LEVELS = 12
_FINE_JUMP_COST = 22.0
_FINE_LIMIT = 12.0
_FINE_LEAST = 9.0
_SAME_FINE_S = 0.4e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A part of the camera's time line, and the line that holds in it."""

    begin_s: float
    end_s: float
    map: Map


def coarse_spans(
    camera: Features, recorder: Features, lines: Sequence[Map], rate: float
) -> tuple[Span, ...]:
    """Follow the lag along the camera's time; `lines` are where to look, the best one first."""
    time, shift, gain = _block_peaks(camera, recorder, lines, rate)
    levels = _levels(shift, gain)
    if levels.size == 0:
        return ()
    near = np.abs(shift[:, :, None] - levels) < _SAME_S
    emission = np.where(near, gain[:, :, None], 0.0).max(axis=1)
    path = _filled(_supported(_cheapest(emission, _JUMP_COST), emission))
    spans = []
    for level in dict.fromkeys(path[path >= 0].tolist()):
        blocks = np.flatnonzero(path == level)
        chosen = near[blocks][:, :, level] & (gain[blocks] > 0)
        lag = float(np.median(shift[blocks][chosen])) if chosen.any() else float(levels[level])
        spans += _runs(blocks, time, lines[0], lag)
    return tuple(sorted(spans, key=lambda span: span.begin_s))


def _runs(blocks: NDArray[np.intp], time: Doubles, line: Map, lag: float) -> list[Span]:
    """Spans of the runs of consecutive blocks."""
    edges = np.flatnonzero(np.diff(blocks) > 1)
    starts, ends = np.append(0, edges + 1), np.append(edges, blocks.size - 1)
    moved = Map(lag_s=line.lag_s + lag, slope=line.slope)
    half = BLOCK_S / 2
    return [
        Span(begin_s=float(time[blocks[a]]) - half, end_s=float(time[blocks[b]]) + half, map=moved)
        for a, b in zip(starts, ends, strict=True)
    ]


def _block_peaks(
    camera: Features, recorder: Features, lines: Sequence[Map], rate: float
) -> tuple[Doubles, Doubles, Doubles]:
    """(blocks,) middles, and (blocks, lines * peaks) shifts from the first line and gains."""
    size, reach = round(BLOCK_S * FEATURE_RATE), round(_REACH_S * FEATURE_RATE)
    count = max(camera.codes.shape[0] // size, 1)
    time = (np.arange(count) + 0.5) * BLOCK_S
    shift = np.zeros((count, len(lines) * _BLOCK_PEAKS))
    gain = np.zeros_like(shift)
    for block in range(count):
        ours = camera.values(block * size, (block + 1) * size)
        for number, line in enumerate(lines):
            start = line.recorder_time(float(time[block]) - BLOCK_S / 2) * FEATURE_RATE
            first = round(start) - reach
            wide = round(ours.shape[0] * (1 + line.slope)) if rate != 1.0 else ours.shape[0]
            theirs = _excerpt(recorder, first, wide + 2 * reach, ours.shape[0] + 2 * reach)
            lag, z = _local_peaks(ours, theirs)
            at = slice(number * _BLOCK_PEAKS, (number + 1) * _BLOCK_PEAKS)
            moved = (first + lag - start) / FEATURE_RATE
            base = line.recorder_time(float(time[block])) - lines[0].recorder_time(
                float(time[block])
            )
            shift[block, at], gain[block, at] = base + moved, np.maximum(z - _Z0, 0)
    return time, shift, gain


def _excerpt(features: Features, first: int, count: int, wanted: int) -> Samples:
    """(wanted, bands) from `count` frames on, zeros where there are none."""
    out = np.zeros((count, features.codes.shape[1]), np.float32)
    part = features.values(max(first, 0), max(first + count, 0))
    out[max(-first, 0) : max(-first, 0) + part.shape[0]] = part
    if count == wanted:
        return out
    return out[np.rint(np.linspace(0, count - 1, wanted)).astype(np.intp)]


def _local_peaks(ours: Samples, theirs: Samples) -> tuple[Doubles, Doubles]:
    """(peaks,) starts of `ours` in `theirs` in frames, and heights in robust deviations."""
    lags, heights = np.zeros(_BLOCK_PEAKS), np.zeros(_BLOCK_PEAKS)
    size = 1 << int(theirs.shape[0] - 1).bit_length()
    product = np.fft.rfft(ours, size, axis=0).conj() * np.fft.rfft(theirs, size, axis=0)
    line = np.fft.irfft(product.sum(axis=1), size)[: theirs.shape[0] - ours.shape[0] + 1]
    line = line - np.median(line)
    deviation = 1.4826 * float(np.median(np.abs(line)))
    if deviation < 1e-6:
        return lags, heights
    line = line / deviation
    for rank in range(_BLOCK_PEAKS):
        best = int(line.argmax())
        lags[rank], heights[rank] = best, line[best]
        if 0 < best < line.size - 1:
            left, top, right = (float(value) for value in line[best - 1 : best + 2])
            lags[rank] += np.clip(0.5 * (left - right) / min(left - 2 * top + right, -1e-9), -1, 1)
        line[max(best - 4, 0) : best + 5] = 0
    return lags, heights


def _levels(shift: Doubles, gain: Doubles) -> Doubles:
    """(levels,) shifts that have enough blocks behind them, the best supported first."""
    left = gain.copy()
    levels: list[float] = []
    for _ in range(_MOST_LEVELS):
        order = np.argsort(left, axis=None)[::-1][:40]
        centres = shift.reshape(-1)[order]
        support = [
            np.where(np.abs(shift - centre) < _SAME_S, left, 0).max(axis=1).sum()
            for centre in centres
        ]
        best = int(np.argmax(support))
        if support[best] < _LEVEL_COST:
            break
        levels.append(float(centres[best]))
        left[np.abs(shift - centres[best]) < 1.5 * _SAME_S] = 0
    return np.array(levels)


def _cheapest(emission: Doubles, cost: float) -> NDArray[np.intp]:
    """(steps,) best level of each step, -1 for none; a change of level costs (Viterbi 1967)."""
    steps, levels = emission.shape
    back = np.zeros((steps, levels), np.intp)
    total = emission[0].copy()
    for step in range(1, steps):
        best = int(total.argmax())
        moved = total[best] - cost > total
        back[step] = np.where(moved, best, np.arange(levels))
        total = np.where(moved, total[best] - cost, total) + emission[step]
    path = np.zeros(steps, np.intp)
    path[-1] = int(total.argmax())
    for step in range(steps - 1, 0, -1):
        path[step - 1] = back[step, path[step]]
    return _trimmed(path, emission)


def _supported(path: NDArray[np.intp], emission: Doubles) -> NDArray[np.intp]:
    """Drop runs that only one block speaks for: a phrase that is said or played twice."""
    out = path.copy()
    filled = _filled(path)
    edges = np.flatnonzero(np.diff(filled) != 0)
    for first, last in zip(np.append(0, edges + 1), np.append(edges, path.size - 1), strict=True):
        if filled[first] < 0:
            continue
        gain = emission[first : last + 1, filled[first]]
        if np.count_nonzero(gain) < 2 or gain.sum() < _LEVEL_COST:
            out[first : last + 1] = -1
    return out


def _filled(path: NDArray[np.intp]) -> NDArray[np.intp]:
    """Blocks of no level between two of the same, or before the first and after the last."""
    known = np.flatnonzero(path >= 0)
    if known.size == 0:
        return path
    out = path.copy()
    out[: known[0]], out[known[-1] :] = path[known[0]], path[known[-1]]
    for left, right in itertools.pairwise(known):
        if path[left] == path[right]:
            out[left:right] = path[left]
    return out


def _trimmed(path: NDArray[np.intp], emission: Doubles) -> NDArray[np.intp]:
    """Blocks at either end of a level's run that do not support it belong to none."""
    out = path.copy()
    has = emission[np.arange(path.size), path] > 0
    for level in set(path.tolist()):
        mine = np.flatnonzero((path == level) & has)
        held = np.flatnonzero(path == level)
        if mine.size == 0:
            out[held] = -1
            continue
        out[held[(held < mine[0]) | (held > mine[-1])]] = -1
    return out


def fine_spans(
    cross: Cross, line: Map, reach_s: float, span: Span, inverted: bool
) -> tuple[Span, ...]:
    """Split a span where its windows jump by 0.4 ms and more, and stay there."""
    used = np.flatnonzero(cross.loudness > 0)
    if used.size < 4:
        return (Span(begin_s=span.begin_s, end_s=span.end_s, map=line),)
    reach, middle = round(reach_s * FINE_RATE), cross.size // 2
    level = correlations(cross)[used, middle - reach : middle + reach + 1]
    level = level * (-1 if inverted else 1)
    level = (level - level.mean(axis=1, keepdims=True)) / (level.std(axis=1, keepdims=True) + 1e-12)
    level[:, 1:-1] = np.maximum(np.maximum(level[:, :-2], level[:, 2:]), level[:, 1:-1])
    np.clip(level, -2.0, _FINE_LIMIT, out=level)
    path = _sample_path(level)
    runs = _good_runs(path, level)
    if len(runs) < 2 or _returns(runs):
        return (Span(begin_s=span.begin_s, end_s=span.end_s, map=line),)
    time = cross.time_s[used]
    spans = []
    for number, (first, last, lag) in enumerate(runs):
        shift = (lag - reach) / FINE_RATE
        spans.append(
            Span(
                begin_s=span.begin_s if number == 0 else float(time[first]),
                end_s=span.end_s if number == len(runs) - 1 else float(time[last]),
                map=Map(lag_s=line.lag_s + shift, slope=line.slope),
            )
        )
    return tuple(spans)


def _sample_path(level: Samples) -> NDArray[np.intp]:
    """(windows,) lag of the cheapest path through (windows, lags): any jump has the same price."""
    count, lags = level.shape
    back = np.zeros((count, lags), np.int32)
    total = level[0].copy()
    for row in range(1, count):
        best = int(total.argmax())
        moved = total[best] - _FINE_JUMP_COST > total
        back[row] = np.where(moved, best, np.arange(lags))
        total = np.where(moved, total[best] - _FINE_JUMP_COST, total) + level[row]
    path = np.zeros(count, np.intp)
    path[-1] = int(total.argmax())
    for row in range(count - 1, 0, -1):
        path[row - 1] = back[row, path[row]]
    return path


def _good_runs(path: NDArray[np.intp], level: Samples) -> list[tuple[int, int, int]]:
    """(first, last, lag) of the runs that stand out in their own right, neighbours joined."""
    edges = np.flatnonzero(np.diff(path) != 0)
    runs: list[tuple[int, int, int]] = []
    for first, last in zip(np.append(0, edges + 1), np.append(edges, path.size - 1), strict=True):
        lag = int(path[first])
        held = level[first : last + 1, lag]
        if last - first < 1 or held.sum() / np.sqrt(held.size) < _FINE_LEAST:
            continue
        if runs and abs(runs[-1][2] - lag) < _SAME_FINE_S * FINE_RATE:
            runs[-1] = (runs[-1][0], int(last), runs[-1][2])
        else:
            runs.append((int(first), int(last), lag))
    return runs


def _returns(runs: Sequence[tuple[int, int, int]]) -> bool:
    """Whether a lag comes back: lost samples do not; two talkers who take turns do."""
    for number, (_, _, lag) in enumerate(runs):
        for _, _, other in runs[number + 2 :]:
            if abs(other - lag) < 2 * _SAME_FINE_S * FINE_RATE:
                return True
    return False
