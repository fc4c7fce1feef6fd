"""What is kept of a sound to find its place: how 16 bands of it rise and fall, 50 times a second.

The derivative of the log energy takes away the microphone's equaliser, the level and most of the
room; clipping takes the power from claps and clicks. An hour is 2.9 MB, whatever its sample rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

PCM_RATE = 8000
"""Samples a second of what a `FeatureStream` is fed."""
FEATURE_RATE = 50
"""Feature frames a second."""
BANDS = 16
SCALE = 42.0
"""Codes of `Features.codes` in one standard deviation."""

_FRAME = 256
_HOP = 80
_POOL = PCM_RATE // _HOP // FEATURE_RATE
_LOW_HZ, _HIGH_HZ = 200.0, 3600.0
_LOG_STEP = 0.15
_LOG_LOW = -27.0
_LIMIT = 3.0
_FLOOR = 1e-3
_CHUNK = 1 << 15
_QUIET = 10 ** (-85 / 10)


@dataclass(frozen=True, kw_only=True, slots=True)
class Features:
    """One channel of a recording, as it is compared."""

    codes: NDArray[np.int8]
    """(frames, BANDS) derivative of the log energy, in 1/SCALE of the band's deviation."""
    duration_s: float
    active_s: float
    """How much of it is louder than -85 dB of full scale."""

    def values(self, begin: int = 0, end: int | None = None) -> Samples:
        """Give (frames, BANDS) from `begin` to `end` in units of standard deviations."""
        return self.codes[begin:end].astype(np.float32) * np.float32(1 / SCALE)


@dataclass
class FeatureStream:
    """Takes a mono sound at 8 kHz block by block and keeps its band energies, one byte each."""

    _rest: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    _logs: list[NDArray[np.uint8]] = field(default_factory=list)
    _samples: int = 0
    _active: int = 0

    def push(self, block: Samples) -> None:
        """Add (samples,) of any number."""
        clean = np.nan_to_num(block, nan=0.0, posinf=1.0, neginf=-1.0).astype(np.float32)
        np.clip(clean, -8.0, 8.0, out=clean)
        self._samples += clean.size
        pending = np.concatenate([self._rest, clean])
        frames = max((pending.size - _FRAME) // _HOP + 1, 0)
        for begin in range(0, frames, _CHUNK // 4):
            end = min(begin + _CHUNK // 4, frames)
            self._measure(pending[begin * _HOP : (end - 1) * _HOP + _FRAME])
        self._rest = pending[frames * _HOP :].copy()

    def _measure(self, samples: Samples) -> None:
        """Keep the band energies of all whole frames in `samples`."""
        frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]
        spectrum = np.fft.rfft(frames * _WINDOW, axis=1)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        energy = power @ _MEL
        self._active += int(np.count_nonzero(energy.sum(axis=1) > _QUIET))
        code = (np.log(energy + 1e-12) - _LOG_LOW) * (1 / _LOG_STEP)
        self._logs.append(np.clip(np.rint(code), 0, 255).astype(np.uint8))

    def finish(self) -> Features:
        """Give what was fed so far, normalised band by band over its whole length."""
        logs = np.concatenate([np.zeros((0, BANDS), np.uint8), *self._logs])
        self._logs = [logs]
        return Features(
            codes=_normalise(logs),
            duration_s=self._samples / PCM_RATE,
            active_s=self._active * _HOP / PCM_RATE,
        )


def extract(samples: Samples) -> Features:
    """Give the features of (samples,) mono at 8 kHz."""
    stream = FeatureStream()
    stream.push(samples)
    return stream.finish()


def _normalise(logs: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Turn (n, BANDS) log codes at 100 Hz into (n / 2, BANDS) derivatives at FEATURE_RATE."""
    table = _floored_logs(logs)
    usable = logs.shape[0] - logs.shape[0] % _POOL
    out = np.zeros((usable // _POOL, BANDS), np.int8)
    deviation = np.sqrt(_mean_square(logs, table))
    gain = np.where(deviation > 1e-4, 1 / np.maximum(deviation, 1e-4), 0.0).astype(np.float32)
    for begin in range(0, usable, _CHUNK):
        end = min(begin + _CHUNK, usable)
        slope = _slope(logs, table, begin, end)
        pooled = slope.reshape(-1, _POOL, BANDS).mean(axis=1) * gain
        np.clip(pooled, -_LIMIT, _LIMIT, out=pooled)
        out[begin // _POOL : end // _POOL] = np.rint(pooled * SCALE)
    return out


def _floored_logs(logs: NDArray[np.uint8]) -> Samples:
    """(256, BANDS) log energies by code, each band floored at 1/1000 of its median."""
    energy = np.exp(np.arange(256) * _LOG_STEP + _LOG_LOW)
    table = np.empty((256, BANDS), np.float32)
    for band in range(BANDS):
        counts = np.bincount(logs[:, band], minlength=256)
        counts[0] = 0  # digital silence tells nothing of the level
        middle = np.searchsorted(np.cumsum(counts), counts.sum() / 2)
        table[:, band] = np.log(energy + _FLOOR * energy[min(int(middle), 255)])
    return table


def _slope(logs: NDArray[np.uint8], table: Samples, begin: int, end: int) -> Samples:
    """(end - begin, BANDS) smoothed differences x[t+1] + x[t+2] - x[t-1] - x[t-2]."""
    at = np.clip(np.arange(begin - 2, end + 2), 0, logs.shape[0] - 1)
    level = np.take_along_axis(table, logs[at].astype(np.intp), axis=0)
    return np.asarray(level[3:-1] + level[4:] - level[1:-3] - level[:-4], np.float32)


def _mean_square(logs: NDArray[np.uint8], table: Samples) -> NDArray[np.float64]:
    """(BANDS,) mean square of the pooled slope."""
    total = np.zeros(BANDS)
    usable = logs.shape[0] - logs.shape[0] % _POOL
    for begin in range(0, usable, _CHUNK):
        end = min(begin + _CHUNK, usable)
        pooled = _slope(logs, table, begin, end).reshape(-1, _POOL, BANDS).mean(axis=1)
        total += np.square(pooled, dtype=np.float64).sum(axis=0)
    return np.asarray(total / max(usable // _POOL, 1))


def _mel_matrix() -> Samples:
    """(129, BANDS) triangles, even on the mel scale."""
    low, high = (2595 * math.log10(1 + hertz / 700) for hertz in (_LOW_HZ, _HIGH_HZ))
    mel = np.linspace(low, high, BANDS + 2)
    edge = 700 * (10 ** (mel / 2595) - 1)
    hz = np.arange(_FRAME // 2 + 1)[:, None] * (PCM_RATE / _FRAME)
    rise = (hz - edge[:-2]) / (edge[1:-1] - edge[:-2])
    fall = (edge[2:] - hz) / (edge[2:] - edge[1:-1])
    return np.asarray(np.clip(np.minimum(rise, fall), 0, None), np.float32)


_WINDOW = (np.hanning(_FRAME + 1)[:-1] / (_FRAME / 2)).astype(np.float32)
_MEL = _mel_matrix()
