"""Where one line does not do: samples lost, recorders paused, cameras cut.

A line holds where its windows support it. What it leaves is searched for another line, close by in
the windows and everywhere in the features, and that line's leavings again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.consensus import find_lines
from avpipe.sync.features import FEATURE_RATE, Features
from avpipe.sync.middle import median
from avpipe.sync.search import Searched, pool_for, spread
from avpipe.sync.windows import Map

Doubles = NDArray[np.float64]

_LEAST_SUPPORT, _USUAL_SUPPORT, _MOST_SUPPORT = 1.2, 3.0, 4.0
"""What a window has where its line holds, at the least; where that is weak, and where strong."""
_SUPPORT_LIMIT = 8.0
_BIAS = 0.7
"""Support of a window that holds nothing but noise: the highest of several lags."""
_CHANGE_COST = 10.0
_STRONG = 8.0
"""A line that stands higher by itself shows 10 ms beside it too, at an eighth of its height."""
_QUIET = 0.15
_REGION_LINES = 4
_MOST_BLOCKS = 96
"""Of a part of hours: each is laid along all of the recorder."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Span:
    """A part of the camera's time line, and the line that holds in it."""

    begin_s: float
    end_s: float
    map: Map


def held(support: Doubles, loudness: Doubles) -> tuple[int, int] | None:
    """Give the first and the last window that a line holds in, None where it holds nowhere.

    The likeliest run of windows with support against none (two states, a change has its price);
    windows in which the recorder hears next to nothing say nothing.
    """
    if support.size == 0:
        return None
    gain = _gains(support, loudness)
    best, chosen = 0.0, None
    total = np.concatenate([[0.0], np.cumsum(gain)])
    count = gain.size
    for first in range(count):
        sums = total[first + 1 :] - total[first]
        costs = _CHANGE_COST * (first > 0) + _CHANGE_COST * (np.arange(first, count) < count - 1)
        top = int(np.argmax(sums - costs))
        if sums[top] - costs[top] > best:
            best, chosen = float(sums[top] - costs[top]), (first, first + top)
    return chosen


def blank(support: Doubles, loudness: Doubles) -> tuple[int, int] | None:
    """Give the first and the last window of the likeliest run within that a line does not hold in.

    None where two changes, there and back, cost more than such a run explains.
    """
    gain = _gains(support, loudness)
    best, chosen = 2 * _CHANGE_COST, None
    total = np.concatenate([[0.0], np.cumsum(-gain)])
    for first in range(1, gain.size - 1):
        sums = total[first + 1 : -1] - total[first]
        top = int(np.argmax(sums))
        if sums[top] > best:
            best, chosen = float(sums[top]), (first, first + top)
    return chosen


def _gains(support: Doubles, loudness: Doubles) -> Doubles:
    """(windows,) how much likelier each window is where the line holds than where it does not."""
    value = support - _BIAS
    strong = median(np.sort(value)[value.size // 2 :])
    # Beside a strong line there is more than noise: the room, the same sound a little earlier.
    value = np.clip(value * min(1.0, _STRONG / max(strong, 1e-3)), -2.0, _SUPPORT_LIMIT)
    usual = min(strong, _USUAL_SUPPORT)
    typical = float(np.clip(max(usual, strong / 2), _LEAST_SUPPORT, _MOST_SUPPORT))
    gain = typical * value - typical**2 / 2
    quiet = loudness < _QUIET * median(loudness)
    gain[quiet & (gain < 0)] = 0.0
    return np.asarray(gain)


def region_lines(
    camera: Features, recorder: Features, begin_s: float, end_s: float, rate: float, slope: float
) -> list[Map]:
    """Search a part of the camera's time line for lines of a known slope, the best first."""
    scored = scored_lines(camera, recorder, (begin_s, end_s), rate, slope)
    return [line for line, _ in scored]


def scored_lines(
    camera: Features, recorder: Features, ends: tuple[float, float], rate: float, slope: float
) -> list[tuple[Map, float]]:
    """As `region_lines`, each with the sum over its blocks of what is above 4 deviations."""
    (begin_s, end_s) = ends
    first = max(int(begin_s * FEATURE_RATE), 0)
    part = replace(
        camera,
        codes=camera.codes[first : max(int(end_s * FEATURE_RATE), first)],
        duration_s=end_s - begin_s,
        known=None if camera.known is None else camera.known[first : int(end_s * FEATURE_RATE)],
    )
    block_s = float(np.clip((end_s - begin_s) / 4, 4.0, 30.0))
    pool = pool_for(part, recorder)
    searched = Searched(recorder, block_s=block_s, pool=pool, rate=rate)
    peaks = searched.find(part, spread(searched.blocks_of(part), _MOST_BLOCKS))
    lines = []
    middle = (end_s - begin_s) / 2
    for line in find_lines(peaks, _REGION_LINES) if peaks.time_s.size else ():
        at = first / FEATURE_RATE + middle
        heard = (middle + line.at(middle)) * rate
        lines.append((Map(lag_s=heard - at - slope * at, slope=slope), line.score))
    return lines
