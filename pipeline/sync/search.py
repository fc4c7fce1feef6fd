"""Global search: where each block of the camera's sound fits in the whole of the recorder's.

Both are cut into blocks, zero-padded to twice their length and transformed once. The product of
every pair of blocks, summed over the bands, is one small matrix product for each frequency.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.features import FEATURE_RATE, Features

Floats = NDArray[np.float32]
Spectra = NDArray[np.complex64]

PEAKS = 6
"""Kept of each block."""
_BATCH = 24
_LEAST_OVERLAP_S = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Peaks:
    """The lags at which each block of the camera fits best; lag = recorder time - camera time."""

    time_s: NDArray[np.float64]
    """(blocks,) middle of what the block has, on the camera's time line."""
    lag_s: NDArray[np.float64]
    """(blocks, PEAKS), best first."""
    z: NDArray[np.float64]
    """(blocks, PEAKS) height over the block's robust deviation; 0 where there is none."""
    block_s: float


def block_seconds(camera: Features, recorder: Features, most_s: float = 60.0) -> float:
    """Give the length of a block: a quarter of the shorter one, between 5 and `most_s`."""
    return float(np.clip(min(camera.duration_s, recorder.duration_s) / 4, 5.0, most_s))


def find_peaks(
    camera: Features, recorder: Features, *, block_s: float, pool: int = 1, rate: float = 1.0
) -> Peaks:
    """Correlate all camera blocks with the whole recorder.

    `pool` averages that many frames first (less work for long files). `rate` is how many seconds
    of the recorder are supposed to be one of the camera; lags are then in the camera's seconds.
    """
    step = pool / FEATURE_RATE
    size = max(round(block_s / step), 8)
    ours = pooled(camera.values(), pool)
    theirs = pooled(stretched(recorder.values(), rate), pool)
    least = max(round(min(_LEAST_OVERLAP_S, block_s / 2) / step), 2)
    rows = [
        _block_peaks(line, size, count, theirs.shape[0], least)
        for line, count in _correlated(ours, theirs, size)
    ]
    blocks = np.arange(len(rows))
    count = np.minimum(size, ours.shape[0] - blocks * size)
    shape = (len(rows), PEAKS)
    return Peaks(
        time_s=(blocks * size + count / 2) * step,
        lag_s=np.reshape([row[0] for row in rows], shape) * step - blocks[:, None] * size * step,
        z=np.reshape([row[1] for row in rows], shape),
        block_s=block_s,
    )


def pooled(values: Floats, pool: int) -> Floats:
    """Average every `pool` frames of (n, bands)."""
    usable = values.shape[0] - values.shape[0] % pool
    return np.asarray(values[:usable].reshape(-1, pool, values.shape[1]).mean(axis=1))


def stretched(values: Floats, rate: float) -> Floats:
    """Read (n, bands) at every `rate` frames, linearly between them."""
    if rate == 1.0 or values.shape[0] < 2:
        return values
    at = np.arange(0, values.shape[0] - 1, rate)
    low = at.astype(np.intp)
    share = (at - low).astype(np.float32)[:, None]
    return np.asarray(values[low] * (1 - share) + values[low + 1] * share, np.float32)


def _correlated(ours: Floats, theirs: Floats, size: int) -> Iterator[tuple[Floats, int]]:
    """For each block give its correlation with all starts -size … in `theirs`, and its frames."""
    other = _spectra(theirs, size)
    pairs = other.shape[0]
    for begin in range(0, ours.shape[0], size * _BATCH):
        part = _spectra(ours[begin : begin + size * _BATCH], size)
        product = np.matmul(part.transpose(1, 0, 2).conj(), other.transpose(1, 2, 0))
        each = np.fft.irfft(np.ascontiguousarray(product.transpose(1, 2, 0)), 2 * size)
        for row in range(part.shape[0]):
            line = np.zeros((pairs + 1) * size, np.float32)
            line[size:] += each[row, :, :size].reshape(-1)
            line[:-size] += each[row, :, size:].reshape(-1)
            yield line, min(size, ours.shape[0] - begin - row * size)


def _spectra(values: Floats, size: int) -> Spectra:
    """(blocks, size + 1, bands) spectra of the zero-padded blocks."""
    blocks = -(-values.shape[0] // size)
    padded = np.zeros((blocks * size, values.shape[1]), np.float32)
    padded[: values.shape[0]] = values
    return np.fft.rfft(padded.reshape(blocks, size, -1), 2 * size, axis=1).astype(np.complex64)


def _block_peaks(
    line: Floats, size: int, count: int, length: int, least: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(PEAKS,) starts in frames and heights; `line[k]` is for the start k - size."""
    starts, heights = np.zeros(PEAKS), np.zeros(PEAKS)
    low, high = least - count, length - least
    if high <= low:
        return starts, heights
    start = np.arange(low, high)
    shared = np.minimum(start + count, length) - np.maximum(start, 0)
    score = line[low + size : high + size] / np.sqrt(shared, dtype=np.float32)
    middle = float(np.median(score))
    spread = 1.4826 * float(np.median(np.abs(score - middle)))
    if spread < 1e-6:
        return starts, heights
    score = (score - middle) / spread
    apart = max(least // 8, 2)
    for rank in range(PEAKS):
        best = int(np.argmax(score))
        if score[best] <= 0:
            break
        starts[rank] = low + best + _vertex(score, best)
        heights[rank] = score[best]
        score[max(best - apart, 0) : best + apart + 1] = 0
    return starts, heights


def _vertex(values: Floats, at: int) -> float:
    """Where the parabola through a maximum and its neighbours is highest, from `at`."""
    if not 0 < at < values.size - 1:
        return 0.0
    left, middle, right = (float(value) for value in values[at - 1 : at + 2])
    bend = left - 2 * middle + right
    if bend >= 0 or left <= 0 or right <= 0:
        return 0.0
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5))
