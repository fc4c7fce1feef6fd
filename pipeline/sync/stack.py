"""All windows summed along every line near a coarse one (a Radon transform).

That finds the line where no single window could.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.windows import (
    FINE_RATE,
    Cross,
    Map,
    Read,
    Samples,
    correlations,
    cross_spectra,
    read_pairs,
)

Doubles = NDArray[np.float64]

REACH_S = 0.08
"""How far beside a coarse line the stack looks."""
_SCAN_WINDOWS = 24
_HEIGHT_LIMIT = 12.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Stack:
    """The best line of the stack."""

    line: Map
    height: float
    """Over the deviation of the stack, had it been noise."""
    rival: float
    """Height of the best line more than 1 ms away, over the best one's."""
    inverted: bool


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
    level = correlations(cross, reach)[used]
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
