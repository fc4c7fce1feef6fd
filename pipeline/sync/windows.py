"""Short windows of both recordings, laid beside each other by a line that is nearly right."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Spectra = NDArray[np.complex64]
Read = Callable[[float, float], Samples]
"""Give (round(duration * FINE_RATE),) samples from a start, both in seconds; 0 outside."""

FINE_RATE = 16_000
_LOW_HZ, _HIGH_HZ = 120.0, 7000.0
_RHO = 0.85
_TAPER_S = 0.03
_SMEAR_S = 20e-6
_MEMO_SAMPLES = 4_000_000
_WINDOWS_AT_ONCE = 8
_THREADS = 2
"""Over a window, NumPy leaves the interpreter to others most of the time: two of them gain."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Map:
    """Recorder time = camera time + `lag_s` + `slope` * camera time."""

    lag_s: float
    slope: float

    def recorder_time(self, camera_s: float) -> float:
        """Where the camera's moment is in the recorder."""
        return camera_s + self.lag_s + self.slope * camera_s

    def camera_time(self, recorder_s: float) -> float:
        """Where the recorder's moment is in the camera's recording."""
        return (recorder_s - self.lag_s) / (1 + self.slope)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pair:
    """The same moment in both, as read."""

    time_s: float
    """The middle, on the camera's time line."""
    camera: Samples
    recorder: Samples
    """Longer than the camera's by the reach on either side."""
    start_s: float
    """Where `recorder` begins, on the recorder's time line."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cross:
    """Whitened cross spectra of windows, each turned so that the map's prediction is lag 0."""

    spectra: Spectra
    """(windows, bins) from `low` on."""
    time_s: NDArray[np.float64]
    low: int
    size: int
    """Samples of the transform."""
    loudness: NDArray[np.float64]
    """(windows,) 1 where both have sound, 0 where one is digital silence."""


class Memo:
    """Keeps what was read, so that no window is decoded twice; `seconds` counts what was."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._kept: OrderedDict[tuple[int, int], Samples] = OrderedDict()
        self._held = 0
        self.seconds = 0.0

    def __call__(self, start_s: float, duration_s: float) -> Samples:
        """Give what `read` gives, from memory where it can."""
        key = round(start_s * FINE_RATE), round(duration_s * FINE_RATE)
        samples = self._kept.get(key)
        if samples is None:
            samples = _clean(self._read(start_s, duration_s), key[1])
            self.seconds += duration_s
            self._kept[key] = samples
            self._held += samples.size
            while self._held > _MEMO_SAMPLES:
                self._held -= self._kept.popitem(last=False)[1].size
        else:
            self._kept.move_to_end(key)
        return samples

    def forget(self) -> None:
        """Let go of what is kept; it is read again where it is asked for."""
        self._kept.clear()
        self._held = 0


def read_pairs(
    camera: Read, recorder: Read, line: Map, times: Sequence[float], length_s: float, reach_s: float
) -> tuple[Pair, ...]:
    """Read windows of `length_s` around `times`, the recorder's with `reach_s` more each side."""
    pairs = []
    scale = 1 + line.slope
    # In whole samples: else the middle is up to 16 us beside that of what is read.
    length_s = round(length_s * FINE_RATE) / FINE_RATE
    for time in times:
        span = (length_s + 2 * reach_s) * scale + 0.01
        start = line.recorder_time(time) - span / 2
        start = round(start * FINE_RATE) / FINE_RATE
        begin = round((time - length_s / 2) * FINE_RATE) / FINE_RATE
        pairs.append(
            Pair(
                time_s=begin + length_s / 2,
                camera=_clean(camera(begin, length_s), round(length_s * FINE_RATE)),
                recorder=_clean(recorder(start, span), round(span * FINE_RATE)),
                start_s=start,
            )
        )
    return tuple(pairs)


def _clean(samples: Samples, size: int) -> Samples:
    """Exactly `size` finite samples."""
    out = np.zeros(size, np.float32)
    part = np.nan_to_num(samples[:size], nan=0.0, posinf=1.0, neginf=-1.0)
    out[: part.size] = np.clip(part, -8, 8)
    return out


def cross_spectra(pairs: Sequence[Pair], line: Map, reach_s: float) -> Cross:
    """Give the rho-PHAT cross spectra (Knapp and Carter 1976), the recorder put on the line."""
    length = pairs[0].camera.size
    wide = length + 2 * round(reach_s * FINE_RATE)
    size = fast_size(wide)
    low = max(int(_LOW_HZ * size / FINE_RATE), 1)
    high = int(_HIGH_HZ * size / FINE_RATE)
    taper, wide_taper = _taper(length), _taper(wide)
    rows = np.zeros((len(pairs), high - low), np.complex64)
    loud = np.zeros(len(pairs))

    def fill(row: int) -> None:
        pair = pairs[row]
        ours = np.fft.rfft(pair.camera * taper, size)[low:high]
        theirs = np.fft.rfft(placed(pair, line, wide) * wide_taper, size)[low:high]
        product = ours.conj() * theirs
        strength = np.abs(product)
        floor = 1e-4 * float(strength.mean())
        if floor <= 1e-16:
            return
        rows[row] = (
            product / (strength + floor) ** _RHO * (np.float32(strength.mean()) ** (_RHO - 1))
        )
        loud[row] = 1.0

    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(fill, range(len(pairs))):
            pass
    turn = np.exp(2j * np.pi * np.arange(low, high) * ((wide - length) // 2) / size)
    return Cross(
        spectra=rows * turn.astype(np.complex64),
        time_s=np.array([pair.time_s for pair in pairs]),
        low=low,
        size=size,
        loudness=loud,
    )


def placed(pair: Pair, line: Map, wide: int) -> Samples:
    """(wide,) of the recorder on the camera's clock, the line's prediction in the middle."""
    first = pair.time_s - wide / FINE_RATE / 2
    at = (line.recorder_time(first) - pair.start_s) * FINE_RATE
    if abs(line.slope) * wide / FINE_RATE < _SMEAR_S:
        # Over the window the clocks part by less than a sample: turn it, do not resample. What is
        # exact then is the middle.
        at = (line.recorder_time(pair.time_s) - pair.start_s) * FINE_RATE - wide / 2
        return _shifted(pair.recorder, at, round(at), wide)
    dense = _upsampled(pair.recorder)
    where = (at + np.arange(wide) * (1 + line.slope)) * 4
    return _between(dense, where)


def _shifted(samples: Samples, at: float, whole: int, wide: int) -> Samples:
    """(wide,) samples from a place between two samples on."""
    size = fast_size(samples.size)
    turn = np.exp(2j * np.pi * np.fft.rfftfreq(size) * (at - whole))
    moved = np.fft.irfft(np.fft.rfft(samples, size) * turn.astype(np.complex64), size)
    out = np.zeros(wide, np.float32)
    source = moved[max(whole, 0) : max(whole + wide, 0)]
    out[max(-whole, 0) : max(-whole, 0) + source.size] = source
    return out


def _between(samples: Samples, where: NDArray[np.floating[Any]]) -> Samples:
    """Read samples at rising places, linearly between them; the first and the last go on."""
    np.clip(where, 0, samples.size - 1, out=where)
    low = np.minimum(where.astype(np.intp), samples.size - 2)
    share = (where - low).astype(np.float32)
    start = samples[low]
    return np.asarray(start + share * (samples[low + 1] - start), np.float32)


def _upsampled(samples: Samples) -> Samples:
    """Four times as many samples."""
    size = fast_size(samples.size)
    spectrum = np.fft.rfft(samples, size)
    return (np.fft.irfft(spectrum, 4 * size)[: 4 * samples.size] * 4).astype(np.float32)


def correlations(cross: Cross, reach: int) -> Samples:
    """(windows, 2 * reach + 1) at FINE_RATE, lag 0 in the middle; some windows at a time."""
    (count, bins) = cross.spectra.shape
    out = np.empty((count, 2 * reach + 1), np.float32)
    for first in range(0, count, _WINDOWS_AT_ONCE):
        some = slice(first, min(first + _WINDOWS_AT_ONCE, count))
        full = np.zeros((some.stop - first, cross.size // 2 + 1), np.complex64)
        full[:, cross.low : cross.low + bins] = cross.spectra[some]
        level = np.fft.irfft(full, cross.size, axis=1)
        out[some, :reach] = level[:, cross.size - reach :]
        out[some, reach:] = level[:, : reach + 1]
    return out


def correlations_at(cross: Cross, lags_s: NDArray[np.float64], weight: Samples | None) -> Samples:
    """(windows, lags) at any lags of 2 ms at most, by the sum of the bins, 12 Hz at once."""
    spectra = cross.spectra if weight is None else cross.spectra * weight
    width = max(int(12 * cross.size / FINE_RATE), 1)
    count = spectra.shape[1] // width
    sums = spectra[:, : count * width].reshape(spectra.shape[0], count, width).sum(axis=2)
    bins = cross.low + (width - 1) / 2 + width * np.arange(count)
    cosine, sine = _turns(bins.tobytes(), FINE_RATE / cross.size, lags_s.tobytes())
    return np.asarray(sums.real @ cosine - sums.imag @ sine, np.float32)


@lru_cache(maxsize=4)
def _turns(bins: bytes, width_hz: float, lags_s: bytes) -> tuple[Samples, Samples]:
    """(bins, lags) cosines and sines; both are given as the bytes of doubles."""
    angle = 2 * np.pi * np.outer(np.frombuffer(bins) * width_hz, np.frombuffer(lags_s))
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def _taper(size: int) -> Samples:
    """Ones with cosine ends."""
    ends = min(round(_TAPER_S * FINE_RATE), size // 4)
    out = np.ones(size, np.float32)
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(ends) + 0.5) / ends)).astype(np.float32)
    out[:ends], out[size - ends :] = ramp, ramp[::-1]
    return out


def fast_size(size: int) -> int:
    """Give the next size that a Fourier transform is quick at: 2^a * {1, 3, 5, 9, 15}, even."""
    best = 1 << int(size - 1).bit_length()
    for odd in (3, 5, 9, 15):
        candidate = odd
        while candidate < size or candidate % 2:
            candidate *= 2
        best = min(best, candidate)
    return best
