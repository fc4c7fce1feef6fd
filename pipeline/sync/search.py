"""Global search: where each block of the camera's sound fits in the whole of the recorder's.

Both are cut into blocks, zero-padded to twice their length and transformed once. The product of
every pair of blocks, summed over the bands, is one small matrix product for each frequency.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.features import FEATURE_RATE, Features
from avpipe.sync.peaks import PEAKS, Peaks, Row

Floats = NDArray[np.float32]
Spectra = NDArray[np.complex64]

_BATCH = 24
"""Blocks at once."""
_PART_BYTES = 6_000_000
"""Of the spectra that are multiplied at once."""
_KEPT_BYTES = 24_000_000
"""The spectra of a longer recorder are made again for each batch of blocks."""
_STARTS_AT_ONCE = 1 << 18
_KNOWN_AT_ONCE = 1 << 16
_WHOLE_S, _HALVED_S = 1200.0, 4 * 3600.0
_LEAST_OVERLAP_S = 2.0
_LEAST_KNOWN = 0.3


def block_seconds(camera: Features, recorder: Features, most_s: float = 60.0) -> float:
    """Give the length of a block: a quarter of the shorter one, between 5 and `most_s`.

    Where only stretches of the camera's sound are known, half of the longest one at most.
    """
    shortest = min(camera.duration_s, recorder.duration_s)
    if camera.known is not None:
        edges = np.flatnonzero(np.diff(camera.known, prepend=False, append=False))
        runs = np.diff(edges)[::2] / FEATURE_RATE
        shortest = min(shortest, 2 * float(runs.max(initial=0.0)))
    return float(np.clip(shortest / 4, 5.0, most_s))


def pool_for(camera: Features, recorder: Features) -> int:
    """Frames to average: of hours each block is laid along less."""
    longest = max(camera.duration_s, recorder.duration_s)
    return 1 if longest < _WHOLE_S else (2 if longest < _HALVED_S else 4)


def spread(blocks: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """At most so many of the blocks, evenly spread."""
    if blocks.size <= most:
        return blocks
    return blocks[np.linspace(0, blocks.size - 1, most).astype(np.intp)]


class Searched:
    """The recorder's features, ready to be searched at one rate and one length of blocks.

    `pool` averages that many frames first (less work for long files). `rate` is how many seconds
    of the recorder are supposed to be one of the camera; lags are then in the camera's seconds.
    """

    def __init__(
        self, recorder: Features, *, block_s: float, pool: int = 1, rate: float = 1.0
    ) -> None:
        self.step = pool / FEATURE_RATE
        self.block_s = block_s
        self._pool = pool
        self._size = max(round(block_s / self.step), 8)
        count = recorder.codes.shape[0]
        self._frames = _Frames(recorder.values, count, pool, rate)
        self._bands = recorder.codes.shape[1]
        self._blocks = -(-self._frames.length // self._size)
        self._kept: list[Spectra] | None = None
        if 8 * self._bands * self._blocks * (self._size + 1) <= _KEPT_BYTES:
            self._kept = list(self._parts())
        self._known: NDArray[np.float64] | None = None
        """How much is known before each frame, from a block before the first one on."""
        if recorder.known is not None:
            known = _Frames(partial(_values_of, recorder.known), count, pool, rate)
            self._known = np.zeros((self._blocks + 2) * self._size + 1)
            counts = self._known[self._size + 1 :]
            for begin in range(0, known.length, _KNOWN_AT_ONCE):
                part = known.read(begin, begin + _KNOWN_AT_ONCE)[:, 0]
                counts[begin : begin + part.size] = part
            np.cumsum(self._known, out=self._known)

    def _parts(self) -> Iterator[Spectra]:
        """Spectra of some blocks of the recorder after others."""
        some = max(_PART_BYTES // (8 * max(self._bands, _BATCH) * (self._size + 1)), 1)
        for first in range(0, self._blocks, some):
            values = self._frames.read(first * self._size, (first + some) * self._size)
            yield _spectra(values, self._size)

    def find(self, camera: Features, blocks: NDArray[np.intp] | None = None) -> Peaks:
        """Correlate the camera's blocks (those of these numbers) with the whole recorder."""
        if blocks is None:
            blocks = self.blocks_of(camera)
        size, rows = self._size, []
        for begin in range(0, blocks.size, _BATCH):
            rows += self._correlated(camera, blocks[begin : begin + _BATCH])
        shape = (blocks.size, PEAKS)
        starts = np.array([row[0] for row in rows], np.float64).reshape(shape) - size
        lags = starts - blocks[:, None] * size
        return Peaks(
            time_s=np.array([row[2] for row in rows]) * self.step,
            lag_s=lags * self.step,
            z=np.reshape([row[1] for row in rows], shape),
            block_s=self.block_s,
        )

    def blocks_of(self, camera: Features) -> NDArray[np.intp]:
        """Numbers of the camera's blocks of which enough is known."""
        frames = self._size * self._pool
        count = -(-(camera.codes.shape[0] // self._pool) // self._size)
        if camera.known is None:
            return np.arange(count)
        known = np.zeros(count * frames, np.bool_)
        part = camera.known[: known.size]
        known[: part.size] = part
        return np.flatnonzero(known.reshape(count, frames).mean(axis=1) >= _LEAST_KNOWN)

    def _correlated(
        self, camera: Features, blocks: NDArray[np.intp]
    ) -> list[tuple[NDArray[np.float64], NDArray[np.float64], float]]:
        """For each block give its peaks' starts and heights, and its middle, in frames."""
        size, frames = self._size, self._size * self._pool
        padded = np.zeros((blocks.size * size, camera.codes.shape[1]), np.float32)
        known = np.zeros((blocks.size, size), np.float32)
        for row, block in enumerate(blocks):
            part = pooled(camera.values(block * frames, (block + 1) * frames), self._pool)
            padded[row * size : row * size + part.shape[0]] = part
            known[row, : part.shape[0]] = 1.0
            if camera.known is not None:
                mask = camera.known[block * frames : (block + 1) * frames]
                known[row, : part.shape[0]] = mask[:: self._pool][: part.shape[0]]
        rows = [
            Row(self._starts, least=self._least(), most=self._most_shared(one)) for one in known
        ]
        for first, lines in self._lines(_spectra(padded, size).transpose(1, 0, 2).conj()):
            for told, line, one in zip(rows, lines, known, strict=True):
                told.add(first, line, self._shared(one, first, first + line.size))
        middles = (known * np.arange(size)).sum(axis=1) / np.maximum(known.sum(axis=1), 1) + 0.5
        return [
            (*told.peaks(), float(block * size + middle))
            for told, block, middle in zip(rows, blocks, middles, strict=True)
        ]

    @property
    def _starts(self) -> int:
        """At how many places a block is laid, from a whole block before the first frame on."""
        return (self._blocks + 1) * self._size

    def _lines(self, spectra: Spectra) -> Iterator[tuple[int, Floats]]:
        """Give (first, (camera's blocks, starts)) correlations of some starts after others."""
        size, first = self._size, 0
        tail = np.zeros((spectra.shape[1], size), np.float32)
        for part in self._parts() if self._kept is None else self._kept:
            count = part.shape[0]
            product = np.matmul(spectra, part.transpose(1, 2, 0))
            each = np.fft.irfft(np.ascontiguousarray(product.transpose(1, 2, 0)), 2 * size)
            lines = np.concatenate([tail, each[:, :, :size].reshape(-1, count * size)], axis=1)
            lines[:, :-size] += each[:, :, size:].reshape(-1, count * size)
            (first, begin) = (first + count, first * size)
            done = lines.shape[1] if first >= self._blocks else count * size
            tail = lines[:, done:].copy()  # what the next part has before its first frame
            yield begin, lines[:, :done]

    def _least(self) -> float:
        """Frames that a block and the recorder must share."""
        return max(round(min(_LEAST_OVERLAP_S, self.block_s / 2) / self.step), 2)

    def _most_shared(self, known: Floats) -> float:
        """How many known frames the block shares with the recorder at the most."""
        ends = (*range(0, self._starts, _STARTS_AT_ONCE), self._starts)
        return max(float(self._shared(known, *part).max()) for part in pairwise(ends))

    def _shared(self, known: Floats, begin: int, end: int) -> Floats:
        """(starts,) how many known frames the block shares with the recorder, of some starts."""
        size = self._size
        if self._known is None:
            counts = np.concatenate([[0.0], np.cumsum(known)]).astype(np.float32)
            out = np.full(end - begin, counts[size], np.float32)
            length = self._frames.length
            for first, last in ((0, size), (max(length, size), self._starts)):
                at = np.arange(max(first, begin), min(last, end))
                low, high = np.clip(size - at, 0, size), np.clip(length + size - at, 0, size)
                out[at - begin] = np.maximum(counts[high] - counts[low], 0.0)
            return out
        total = np.zeros(end - begin)
        edges = np.flatnonzero(np.diff(known, prepend=0.0, append=0.0))
        for low, high in zip(edges[::2], edges[1::2], strict=True):
            total += self._known[high + begin : high + end] - self._known[low + begin : low + end]
        return total.astype(np.float32)


class _Frames:
    """Features at one rate, averaged, read in parts: all of a day would be 300 MB."""

    def __init__(
        self, values: Callable[[int, int], Floats], count: int, pool: int, rate: float
    ) -> None:
        """`values` gives (frames, bands) between two of `count` frames."""
        self._values = values
        self._pool = pool
        self._rate = rate if count > 1 else 1.0
        self.length = (count if self._rate == 1.0 else _stretched_size(count, rate)) // pool

    def read(self, begin: int, end: int) -> Floats:
        """(frames, bands) from `begin` to `end`, or as many as there are."""
        first, last = begin * self._pool, min(end, self.length) * self._pool
        if self._rate == 1.0:
            return pooled(self._values(first, last), self._pool)
        low = int(first * self._rate)
        values = self._values(low, int(last * self._rate) + 2)
        at = np.arange(first, last) * self._rate - low
        return pooled(_read_at(values, at), self._pool)


def _values_of(known: NDArray[np.bool_], begin: int, end: int) -> Floats:
    """(frames, 1) ones where it is known."""
    return known[begin:end].astype(np.float32)[:, None]


def pooled(values: Floats, pool: int) -> Floats:
    """Average every `pool` frames of (n, bands)."""
    if pool == 1:
        return values
    usable = values.shape[0] - values.shape[0] % pool
    return np.asarray(values[:usable].reshape(-1, pool, values.shape[1]).mean(axis=1))


def _stretched_size(count: int, rate: float) -> int:
    """How many frames that many are, read at every `rate`."""
    return int(np.ceil((count - 1) / rate))


def _read_at(values: Floats, at: NDArray[np.floating[Any]]) -> Floats:
    """(places, bands) of (n, bands), linearly between the frames."""
    low = np.minimum(at.astype(np.intp), values.shape[0] - 2)
    share = (at - low).astype(np.float32)[:, None]
    return np.asarray(values[low] * (1 - share) + values[low + 1] * share, np.float32)


def _spectra(values: Floats, size: int) -> Spectra:
    """(blocks, size + 1, bands) spectra of the zero-padded blocks."""
    blocks = -(-values.shape[0] // size)
    if blocks * size != values.shape[0]:
        padded = np.zeros((blocks * size, values.shape[1]), np.float32)
        padded[: values.shape[0]] = values
        values = padded
    spectra = np.fft.rfft(values.reshape(blocks, size, -1), 2 * size, axis=1)
    return spectra.astype(np.complex64, copy=False)
