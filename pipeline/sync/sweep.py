"""Global search in the samples of short recordings, for when their features show nothing.

A noise gate chops up the rise and fall of a sound that has little of its own; the samples stay
the same. Windows of the camera, whitened, are laid along the whole recorder, and the places at
which they fit best must agree on one line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.consensus import MAX_SLOPE
from avpipe.sync.middle import median
from avpipe.sync.take import Take
from avpipe.sync.windows import FINE_RATE, Map, Samples, fast_size

Doubles = NDArray[np.float64]

LONGEST_S = 120.0
"""Longer recordings are not searched like this; their features say enough."""
_RATE = 8000
_LOW_HZ, _HIGH_HZ = 120.0, 3600.0
_SMOOTH_HZ, _LEVEL_S = 100.0, 0.05
_WINDOW_S = 1.5
_MOST_WINDOWS = 16
_PEAKS, _CROWD = 6, 48
_APART_S = 2e-3
_LEAST_Z = 4.5
_NEAR_S = 1e-3
_OWN_S = 0.08
_LEAST_SCORE = 2.0
_STEADY_S2 = 25.0


def swept_lines(take: Take, rate: float = 1.0, most: int = 5) -> list[Map]:
    """Give the lines that windows of the samples agree on, the best first.

    `rate` is how many seconds of the recorder are supposed to be one of the camera.
    """
    if max(take.ours.duration_s, take.theirs.duration_s) > LONGEST_S:
        return []
    camera = _flat(take.camera(0.0, take.ours.duration_s))
    recorder = _flat(take.recorder(0.0, take.theirs.duration_s), rate)
    length = round(_WINDOW_S * _RATE)
    if min(camera.size, recorder.size) < 2 * length:
        return []
    count = min(camera.size // length, _MOST_WINDOWS)
    starts = np.linspace(0, camera.size - length, count).astype(np.intp)
    size = fast_size(recorder.size + length)
    spectrum = np.fft.rfft(recorder, size)
    found = []
    for start in starts:
        window = np.fft.rfft(camera[start : start + length], size)
        level = np.fft.irfft(spectrum * window.conj(), size)
        level = np.concatenate([level[-length:], level[: recorder.size]])
        at, z = _peaks(level / (level.std() + 1e-12))
        time = np.full(at.size, (start + length / 2) / _RATE)
        found.append(np.stack([time, (at - length - start) / _RATE, z]))
    lines = _agreed(np.concatenate(found, axis=1), most)
    return [Map(lag_s=line.lag_s * rate, slope=(1 + line.slope) * rate - 1) for line in lines]


def _peaks(level: Doubles) -> tuple[NDArray[np.intp], Doubles]:
    """Give the places of the highest of either sign, apart from each other, and their heights."""
    crowd = np.argpartition(np.abs(level), -_CROWD)[-_CROWD:]
    crowd = crowd[np.argsort(-np.abs(level[crowd]))]
    kept: list[int] = []
    for at in crowd:
        if len(kept) < _PEAKS and all(abs(at - other) > _APART_S * _RATE for other in kept):
            kept.append(int(at))
    places = np.array(kept, np.intp)
    return places, level[places]


def _agreed(peaks: Doubles, most: int) -> list[Map]:
    """Give the lines that most of (3, peaks) of time, lag and height are near, best first."""
    lines: list[Map] = []
    left = np.abs(peaks[2]) > _LEAST_Z
    while len(lines) < most and np.count_nonzero(left) > 1:
        time, lag, z = peaks[:, left]
        apart = np.abs(lag - lag[:, None])
        near = apart < _NEAR_S + MAX_SLOPE * np.abs(time - time[:, None])
        near &= np.sign(z) == np.sign(z)[:, None]
        near &= (time != time[:, None]) | np.eye(time.size, dtype=np.bool_)
        scores = near @ (np.abs(z) - _LEAST_Z)
        best = int(scores.argmax())
        chosen = near[best]
        if np.count_nonzero(chosen) < 2 or scores[best] < _LEAST_SCORE:
            break
        middle, level = float(time[chosen].mean()), median(lag[chosen])
        beside = time[chosen] - middle
        slope = float((beside * (lag[chosen] - level)).sum() / ((beside**2).sum() + _STEADY_S2))
        slope = float(np.clip(slope, -MAX_SLOPE, MAX_SLOPE))
        lines.append(Map(lag_s=level - slope * middle, slope=slope))
        left &= np.abs(peaks[1] - level - slope * (peaks[0] - middle)) > _OWN_S
    return lines


def _flat(samples: Samples, rate: float = 1.0) -> Doubles:
    """Half the sample rate, the spectrum flat, the level the same everywhere; `rate` s made one."""
    size = fast_size(samples.size)
    spectrum = np.fft.rfft(samples, size)[: size // 4 + 1]
    strength = np.abs(spectrum)
    smooth = _box(strength, round(_SMOOTH_HZ * size / FINE_RATE))
    hertz = np.arange(spectrum.size) * (FINE_RATE / size)
    spectrum *= ((hertz > _LOW_HZ) & (hertz < _HIGH_HZ)) / (smooth + 1e-6 * strength.max() + 1e-12)
    flat = np.fft.irfft(spectrum, round(size / 2 / rate))[: round(samples.size / 2 / rate)]
    level = np.sqrt(_box(flat**2, round(_LEVEL_S * _RATE)))
    return np.asarray(flat / (level + 0.03 * median(level) + 1e-12))


def _box(values: Doubles, width: int) -> Doubles:
    """Mean of `width` values around each one."""
    half = max(width // 2, 1)
    total = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(values.size)
    low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, values.size)
    return np.asarray(np.maximum(total[high] - total[low], 0.0) / (high - low))
