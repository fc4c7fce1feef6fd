"""Whether another place fits as well: both places, at the same moments, window by window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.fine import Fine, each_second, refine, supports
from avpipe.sync.middle import median
from avpipe.sync.planning import plan_windows
from avpipe.sync.stack import REACH_S, Stack
from avpipe.sync.take import Part, Take
from avpipe.sync.windows import FINE_RATE, Map, correlations, cross_spectra, read_pairs

Doubles = NDArray[np.float64]

_MOST_WINDOWS = 24
_LEAST_S = 1.0
_NEAR_SAMPLES = 20
_LIMIT = 12.0
_OPEN_MARGIN = 6.0
"""Where the camera's moments tell no more, those of the recorder are compared as well."""
_STEADY_WINDOWS = 8
_STEADY = 0.6


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Contest:
    """How a rival does against the best place where both could be."""

    share: float
    """Mean support of the rival over that of the best place."""
    margin: float
    """How many deviations the best place is ahead."""
    height: float = 0.0
    """Of the rival by itself, in deviations of noise."""


WALKOVER = Contest(share=0.0, margin=_LIMIT)


def explained(take: Take, stack: Stack, ends: tuple[float, float]) -> float:
    """How much of a stretch a line explains, second by second: as `Fine.explains`.

    A stack's height cannot tell that: no window counts beyond a limit there, and where a song
    repeats itself to the note all of them reach it at many places.
    """
    times, length = take.windows(*ends)
    times = times[:: -(-len(times) // _MOST_WINDOWS)]
    pairs = read_pairs(take.camera, take.recorder, stack.line, times, length, 0.01)
    support = supports(cross_spectra(pairs, stack.line, 0.01), stack.inverted)
    return each_second(support, length)


def contest(take: Take, best: Part, rival: Map, stack: Stack) -> Contest:
    """Compare a part with a line elsewhere; `rival` is what its `stack` was read by.

    At a moment of the camera the two lines are at two moments of the recorder, at one of the
    recorder's at two of the camera's: either may be where what repeats itself differs.
    """
    begin, end = take.overlap(rival)
    times, length = take.windows(begin, end)
    times = times[:: -(-len(times) // _MOST_WINDOWS)]
    pairs = read_pairs(take.camera, take.recorder, rival, times, length, REACH_S)
    fine = refine(pairs, stack)
    if fine is None:
        return WALKOVER
    height = float(fine.support.sum() / fine.support.size**0.5)
    theirs, ours = _camera_moments(take, best, fine)
    if theirs.size < 2 or abs(margin_of(ours - theirs)) < _OPEN_MARGIN:
        more = _recorder_moments(take, best, fine)
        theirs, ours = np.append(theirs, more[0]), np.append(ours, more[1])
    if theirs.size < 2:
        theirs, ours = fine.support, best.fine.support
        apart = float(ours.mean() - theirs.mean())
        error = np.hypot(ours.std() / ours.size**0.5, theirs.std() / theirs.size**0.5)
        margin = apart / max(float(error), 0.1)
        return Contest(share=_share(theirs, ours), margin=min(margin, _LIMIT), height=height)
    return Contest(share=_share(theirs, ours), margin=margin_of(ours - theirs), height=height)


def _share(theirs: Doubles, ours: Doubles) -> float:
    return max(float(theirs.mean()), 0.0) / max(float(ours.mean()), 1e-3)


def margin_of(apart: Doubles) -> float:
    """Deviations that the mean of the windows' differences is above 0."""
    error = max(float(apart.std(ddof=1)) if apart.size > 1 else 0.0, 0.7) / float(
        np.sqrt(apart.size)
    )
    return min(float(apart.mean()) / error, _LIMIT)


def _camera_moments(take: Take, best: Part, rival: Fine) -> tuple[Doubles, Doubles]:
    """(windows,) support of the rival and of the best, at the same moments of the camera."""
    other = take.overlap(rival.line)
    ends = max(best.begin_s, other[0]), min(best.end_s, other[1])
    return _compared(take, best.fine, rival, ends, None)


def _recorder_moments(take: Take, best: Part, rival: Fine) -> tuple[Doubles, Doubles]:
    """(windows,) support of the rival and of the best, at the same moments of the recorder."""
    mine = [best.fine.line.recorder_time(end) for end in (best.begin_s, best.end_s)]
    other = [rival.line.recorder_time(end) for end in take.overlap(rival.line)]
    ends = max(mine[0], other[0]), min(mine[1], other[1])
    return _compared(take, best.fine, rival, ends, best.fine.line)


def _compared(
    take: Take, best: Fine, rival: Fine, ends: tuple[float, float], clock: Map | None
) -> tuple[Doubles, Doubles]:
    """Support of both at moments between the ends; `clock` is None for those of the camera."""
    if ends[1] - ends[0] < _LEAST_S:
        return np.zeros(0), np.zeros(0)
    times, length = take.windows(*ends) if clock is None else plan_windows(*ends)
    times = times[:: -(-len(times) // _MOST_WINDOWS)]
    out = []
    for fine in (rival, best):
        moments = times if clock is None else [fine.line.camera_time(time) for time in times]
        pairs = read_pairs(take.camera, take.recorder, fine.line, moments, length, 0.01)
        out.append(supports(cross_spectra(pairs, fine.line, 0.01), best.inverted))
    return out[0], out[1]


def close_contest(take: Take, best: Fine, ends: tuple[float, float]) -> tuple[Contest, float]:
    """Compare with the best line less than 80 ms away; also give the share of the heights."""
    times, length = take.windows(*ends)
    times = times[:: -(-len(times) // _MOST_WINDOWS)]
    pairs = read_pairs(take.camera, take.recorder, best.line, times, length, REACH_S)
    cross = cross_spectra(pairs, best.line, REACH_S)
    used = cross.loudness > 0
    if not used.any():
        return Contest(share=1.0, margin=0.0), 1.0
    reach = round(REACH_S * FINE_RATE)
    level = correlations(cross, reach)[used].astype(np.float64)
    level /= level.std(axis=1, keepdims=True) + 1e-12
    level *= -1 if best.inverted else 1
    total = level.sum(axis=0)
    away = np.abs(total)
    away[reach - _NEAR_SAMPLES : reach + _NEAR_SAMPLES + 1] = 0
    column = int(away.argmax())
    sign = 1.0 if total[column] > 0 else -1.0
    ours = level[:, reach - 2 : reach + 3].max(axis=1)
    theirs = sign * level[:, column]
    height = float(total[reach - 2 : reach + 3].max())
    margin = margin_of(ours - theirs) if ours.size > 1 else 0.0
    return (
        Contest(share=_share(theirs, ours), margin=margin),
        float(away[column] / max(height, 1e-3)),
    )


def steady_lag(take: Take) -> float | None:
    """Give a lag at which the starts hold the same tone or hum, None where they do not.

    Whitening leaves nothing of a tone, and the features do not move: this is the plain
    correlation coefficient, which hardly anything but a tone lifts over 0.6 in most windows.
    """
    line = Map(lag_s=0.0, slope=0.0)
    times, length = take.windows(*take.overlap(line))
    times = times[:: -(-len(times) // _STEADY_WINDOWS)]
    rows = []
    for pair in read_pairs(take.camera, take.recorder, line, times, length, REACH_S):
        size = 1 << int(pair.recorder.size).bit_length()
        ours = pair.camera - pair.camera.mean()
        theirs = pair.recorder - pair.recorder.mean()
        scale = float(np.sqrt((ours**2).sum() * (theirs**2).sum() * ours.size / theirs.size))
        if scale <= 1e-9:
            return None
        product = np.fft.rfft(ours, size).conj() * np.fft.rfft(theirs, size)
        rows.append(np.fft.irfft(product, size)[: round(2 * REACH_S * FINE_RATE)] / scale)
    if not rows or median(np.array([row.max() for row in rows])) < _STEADY:
        return None
    return float(np.mean(rows, axis=0).argmax()) / FINE_RATE - REACH_S
