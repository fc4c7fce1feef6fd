"""What is kept of a sound to find its place: how 16 bands of it rise and fall, 50 times a second.

The derivative of the log energy takes away the microphone's equaliser, the level and most of the
room; clipping takes the power from claps and clicks. An hour is 2.9 MB, whatever its sample rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

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


class Codes(Protocol):
    """(frames, BANDS) numbers, an array or what is read from a disk like one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(frames, BANDS)."""

    def __getitem__(self, frames: slice, /) -> NDArray[np.int8]:
        """Those of frames in a row."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Features:
    """One channel of a recording, as it is compared."""

    codes: Codes
    """(frames, BANDS) derivative of the log energy, in 1/SCALE of the band's deviation."""
    duration_s: float
    active_s: float
    """How much of it is louder than -85 dB of full scale."""
    known: NDArray[np.bool_] | None = None
    """(frames,) where it was decoded; None: everywhere. The codes are 0 where it was not."""

    @property
    def known_spans(self) -> list[tuple[float, float]] | None:
        """Begin and end, in seconds, of what was decoded; None: everything."""
        if self.known is None:
            return None
        edges = np.flatnonzero(np.diff(self.known, prepend=False, append=False)) / FEATURE_RATE
        return [(float(a), float(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]

    def values(self, begin: int = 0, end: int | None = None) -> Samples:
        """Give (frames, BANDS) from `begin` to `end` in units of standard deviations."""
        return self.codes[begin:end].astype(np.float32) * np.float32(1 / SCALE)


@dataclass
class FeatureStream:
    """Takes a mono sound at 8 kHz block by block and keeps its band energies, one byte each.

    What was not decoded is left out with `seek`; `finish` can be asked more than once.
    """

    _rest: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    _next: int = 0
    """Frame that the first sample of `_rest` begins."""
    _skip: int = 0
    """Samples to leave out up to the next frame."""
    _runs: list[tuple[int, list[NDArray[np.uint8]]]] = field(default_factory=lambda: [(0, [])])
    _samples: int = 0
    _active: int = 0

    @property
    def samples(self) -> int:
        """How many it was fed, or their place from the start."""
        return self._samples

    def seek(self, start_s: float) -> None:
        """Go on at another time: the next block begins there. Stretches must not overlap."""
        first = round(start_s * PCM_RATE)
        self._next = -(-first // (_HOP * _POOL)) * _POOL
        self._skip = self._next * _HOP - first
        self._rest = self._rest[:0]
        self._samples = max(self._samples, first)
        self._runs.append((self._next, []))

    def push(self, block: Samples) -> None:
        """Add (samples,) of any number."""
        clean = np.nan_to_num(block, nan=0.0, posinf=1.0, neginf=-1.0).astype(np.float32)
        np.clip(clean, -8.0, 8.0, out=clean)
        dropped = min(self._skip, clean.size)
        self._skip -= dropped
        pending = np.concatenate([self._rest, clean[dropped:]])
        self._samples = max(self._samples, self._next * _HOP + pending.size)
        frames = max((pending.size - _FRAME) // _HOP + 1, 0)
        for begin in range(0, frames, _CHUNK // 4):
            end = min(begin + _CHUNK // 4, frames)
            self._measure(pending[begin * _HOP : (end - 1) * _HOP + _FRAME])
        self._rest = pending[frames * _HOP :].copy()
        self._next += frames

    def _measure(self, samples: Samples) -> None:
        """Keep the band energies of all whole frames in `samples`."""
        frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]
        spectrum = np.fft.rfft(frames * _WINDOW, axis=1)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        energy = power @ _MEL
        self._active += int(np.count_nonzero(energy.sum(axis=1) > _QUIET))
        code = (np.log(energy + 1e-12) - _LOG_LOW) * (1 / _LOG_STEP)
        self._runs[-1][1].append(np.clip(np.rint(code), 0, 255).astype(np.uint8))

    def finish(self, duration_s: float | None = None) -> Features:
        """Give what was fed so far, normalised band by band; `duration_s` is that of the whole."""
        runs = [(first, _put_together(parts)) for first, parts in self._runs if parts]
        duration = self._samples / PCM_RATE if duration_s is None else duration_s
        whole = len(runs) == 1 and runs[0][0] == 0 and duration_s is None
        size = max((first + logs.shape[0] for first, logs in runs), default=0)
        if not whole:
            size = max(size, int(duration * PCM_RATE - _FRAME) // _HOP + 1)
        codes, known = _normalised(runs, size // _POOL)
        return Features(
            codes=codes,
            duration_s=duration,
            active_s=self._active * _HOP / PCM_RATE,
            known=None if whole or known.all() else known,
        )


def _put_together(parts: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """All parts in one, which is left in their place."""
    whole = np.empty((sum(part.shape[0] for part in parts), BANDS), np.uint8)
    end = whole.shape[0]
    while parts:
        part = parts.pop()
        whole[end - part.shape[0] : end] = part
        end -= part.shape[0]
    parts.append(whole)
    return whole


def extract(samples: Samples) -> Features:
    """Give the features of (samples,) mono at 8 kHz."""
    stream = FeatureStream()
    stream.push(samples)
    return stream.finish()


def _normalised(
    runs: list[tuple[int, NDArray[np.uint8]]], size: int
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """(size, BANDS) derivatives at FEATURE_RATE of log codes at 100 Hz, and where they are."""
    codes, known = np.zeros((size, BANDS), np.int8), np.zeros(size, np.bool_)
    table = _floored_logs([logs for _, logs in runs])
    total, count = np.zeros(BANDS), 0
    for _, logs in runs:
        for _, slope in _pooled_slopes(logs, table):
            total += np.square(slope, dtype=np.float64).sum(axis=0)
            count += slope.shape[0]
    deviation = np.sqrt(total / max(count, 1))
    gain = np.where(deviation > 1e-4, 1 / np.maximum(deviation, 1e-4), 0.0).astype(np.float32)
    for first, logs in runs:
        for begin, slope in _pooled_slopes(logs, table):
            at = first // _POOL + begin
            part = codes[at : at + slope.shape[0]]
            part[:] = np.rint(np.clip(slope * gain, -_LIMIT, _LIMIT) * SCALE)[: part.shape[0]]
            known[at : at + slope.shape[0]] = True
    return codes, known


def _floored_logs(runs: list[NDArray[np.uint8]]) -> Samples:
    """(256, BANDS) log energies by code, each band floored at 1/1000 of its median."""
    energy = np.exp(np.arange(256) * _LOG_STEP + _LOG_LOW)
    table = np.empty((256, BANDS), np.float32)
    for band in range(BANDS):
        counts = np.zeros(256, np.int64)
        for logs in runs:
            counts += np.bincount(logs[:, band], minlength=256)
        counts[0] = 0  # digital silence tells nothing of the level
        middle = np.searchsorted(np.cumsum(counts), counts.sum() / 2)
        table[:, band] = np.log(energy + _FLOOR * energy[min(int(middle), 255)])
    return table


def _pooled_slopes(logs: NDArray[np.uint8], table: Samples) -> Iterator[tuple[int, Samples]]:
    """Give (first, (frames, BANDS)): differences x[t+1] + x[t+2] - x[t-1] - x[t-2], averaged."""
    usable = logs.shape[0] - logs.shape[0] % _POOL
    for begin in range(0, usable, _CHUNK):
        end = min(begin + _CHUNK, usable)
        at = np.clip(np.arange(begin - 2, end + 2), 0, logs.shape[0] - 1)
        level = np.take_along_axis(table, logs[at].astype(np.intp), axis=0)
        slope = level[3:-1] + level[4:] - level[1:-3] - level[:-4]
        yield begin // _POOL, np.asarray(slope.reshape(-1, _POOL, BANDS).mean(axis=1), np.float32)


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
