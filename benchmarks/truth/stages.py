"""What happens to a sound on its way into a recording, in stages that can be read from anywhere.

Each stage gives any stretch of its output without holding the rest, and the same samples however
it is asked, so a recording of hours is written piece by piece. None of them delays the sound: the
direct sound keeps its time, which is what makes the truth true.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from avpipe.benchmarks.scene import Samples, band_limit, convolve, resample_at, rms
from avpipe.benchmarks.truth.sounds import Library, Sound

BLOCK_S = 30
"""How much is made at once."""
_NOISE_HOP = 1 << 15
_STRETCH_S = 2
_STRETCHES = 60
_TAPS = 64
_FILTER_S = 0.25
_GRID_S = 0.0125


class Stage(Protocol):
    """A mono sound of `size` samples at `rate`."""

    @property
    def size(self) -> int:
        """Samples."""

    @property
    def rate(self) -> int:
        """Samples a second."""

    def read(self, first: int, size: int) -> Samples:
        """(size,) samples from `first` on, which may be negative; zeros where there are none."""


def blocks(stage: Stage) -> Iterator[Samples]:
    """Give the whole of a stage in pieces of `BLOCK_S`."""
    step = BLOCK_S * stage.rate
    for first in range(0, stage.size, step):
        yield stage.read(first, min(step, stage.size - first))


def sampled(stage: Stage, begin: int = 0, end: int | None = None) -> Samples:
    """Give all that lies between two samples, or of more than two minutes stretches of it."""
    last = stage.size if end is None else end
    size = _STRETCH_S * stage.rate
    if last - begin <= _STRETCHES * size:
        return stage.read(begin, max(last - begin, 1))
    firsts = np.linspace(begin, last - size, _STRETCHES).astype(int)
    return np.concatenate([stage.read(int(first), size) for first in firsts])


@dataclass(frozen=True, kw_only=True)
class Held:
    """Samples in memory, or in a file mapped to it."""

    samples: Samples | NDArray[np.int16]
    """(size,); whole numbers are in 1/32768."""
    rate: int

    @property
    def size(self) -> int:
        """Samples."""
        return int(self.samples.size)

    def read(self, first: int, size: int) -> Samples:
        """As `Stage`."""
        out = np.zeros(size, np.float32)
        part = self.samples[max(first, 0) : max(first + size, 0)]
        out[max(-first, 0) : max(-first, 0) + part.size] = part
        return out / np.float32(32768) if self.samples.dtype == np.int16 else out


@dataclass(frozen=True, kw_only=True)
class Dry:
    """A sound of the library from its sample `start` on."""

    library: Library
    sound: Sound
    start: int
    size: int
    rate: int

    def read(self, first: int, size: int) -> Samples:
        """As `Stage`."""
        out = np.zeros(size, np.float32)
        begin, end = max(first, 0), min(first + size, self.size)
        if end > begin:
            part = self.library.read(self.sound, self.start + begin, end - begin)
            out[begin - first : end - first] = part
        return out


@dataclass(frozen=True, kw_only=True)
class Over:
    """Begins a stage that is as long as its source, at the same rate."""

    source: Stage

    @property
    def size(self) -> int:
        """Samples."""
        return self.source.size

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self.source.rate


@dataclass(frozen=True, kw_only=True)
class Wet(Over):
    """In a room: convolved with an impulse response whose sample 0 is the direct sound."""

    response: Samples

    def read(self, first: int, size: int) -> Samples:
        """As `Stage`."""
        before = self.response.size - 1
        dry = self.source.read(first - before, size + before)
        return convolve(dry, self.response)[before : before + size]


@dataclass(frozen=True, kw_only=True)
class Noisy(Over):
    """With pink noise over it."""

    gain: float
    """Of noise of unit variance."""
    seed: int

    def read(self, first: int, size: int) -> Samples:
        """As `Stage`."""
        noise = noise_at(self.seed, first, size)
        return self.source.read(first, size) + np.float32(self.gain) * noise


def noise_at(seed: int, first: int, size: int) -> Samples:
    """(size,) of an endless pink noise of unit variance, from any sample on."""
    hop = _NOISE_HOP
    out = np.zeros(size, np.float32)
    for number in range(first // hop - 1, (first + size - 1) // hop + 1):
        chunk = _noise_chunk(seed, number)
        begin = number * hop - first
        source = chunk[max(-begin, 0) : max(size - begin, 0)]
        out[max(begin, 0) : max(begin, 0) + source.size] += source
    return out


@functools.lru_cache(maxsize=8)
def _noise_chunk(seed: int, number: int) -> Samples:
    """Noise that fades in and out so that the powers of neighbours add up to one."""
    rng = np.random.default_rng((41, seed, number + (1 << 32)))
    white = rng.standard_normal(2 * _NOISE_HOP, dtype=np.float32)
    fade, slope = _noise_shape()
    return np.asarray(np.fft.irfft(np.fft.rfft(white) * slope) * fade, np.float32)


@functools.cache
def _noise_shape() -> tuple[Samples, Samples]:
    """The fade of a chunk, and the gain of its bins: power falls by 3 dB an octave."""
    size = 2 * _NOISE_HOP
    fade = np.sin(np.pi * (np.arange(size) + 0.5) / size)
    slope = 1 / np.sqrt(np.maximum(np.arange(size // 2 + 1), 1.0))
    slope /= np.sqrt(np.square(slope).mean())
    return fade.astype(np.float32), slope.astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Spliced:
    """With stretches left out: from sample `at` of the output on, `lost` more are gone."""

    source: Stage
    losses: tuple[tuple[int, int], ...]
    """(at, lost), `at` rising."""
    size: int

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self.source.rate

    def read(self, first: int, size: int) -> Samples:
        """As `Stage`."""
        parts, gone, begin = [], 0, first
        for at, lost in (*self.losses, (first + size, 0)):
            end = min(max(at, begin), first + size)
            if end > begin:
                parts.append(self.source.read(begin + gone, end - begin))
            gone += lost
            begin = end
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)


@dataclass(frozen=True, kw_only=True)
class Resampled:
    """On another clock: its sample n is the source's value at `first + n * step`."""

    source: Stage
    first: Fraction
    step: Fraction
    size: int
    rate: int

    def read(self, first: int, size: int) -> Samples:
        """As `Stage`."""
        origin = self.first + first * self.step
        low = int(origin) - _TAPS
        count = int(size * self.step) + 3 * _TAPS
        return resample_at(self.source.read(low, count), origin - low, self.step, size)


def fitted(source: Stage, *, first: Fraction, step: Fraction, size: int, rate: int) -> Stage:
    """Resample; what the new rate cannot hold is taken away before."""
    if step > Fraction(101, 100):
        source = LowPass(source=source, cutoff=float(0.94 / step))
    return Resampled(source=source, first=first, step=step, size=size, rate=rate)


@dataclass(frozen=True, kw_only=True)
class LowPass(Over):
    """Without what is above `cutoff` times half the rate; steep, linear phase, no delay."""

    cutoff: float

    def read(self, first: int, size: int) -> Samples:
        """As `Stage`."""
        reach = int(48 / self.cutoff)
        at = np.arange(-reach, reach + 1)
        kernel = np.sinc(at * self.cutoff) * np.kaiser(at.size, 9.0)
        response = (kernel / kernel.sum()).astype(np.float32)
        wide = self.source.read(first - reach, size + 2 * reach)
        return convolve(wide, response)[2 * reach : 2 * reach + size]


@dataclass(frozen=True, kw_only=True)
class Band(Over):
    """Through a small microphone: gentle slopes, zero phase."""

    low_hz: float
    high_hz: float

    def read(self, first: int, size: int) -> Samples:
        """As `Stage`."""
        reach = round(_FILTER_S * self.rate)
        wide = self.source.read(first - reach, size + 2 * reach)
        limited = band_limit(wide, self.rate, low_hz=self.low_hz, high_hz=self.high_hz)
        return limited[reach : reach + size]


@dataclass(frozen=True, kw_only=True)
class Curved(Over):
    """Each sample by itself through a curve: gain and bias, polarity, steps, clipping at 1."""

    gain: float = 1.0
    bias: float = 0.0
    steps: int | None = None
    """From 0 to 1."""

    def read(self, first: int, size: int) -> Samples:
        """As `Stage`."""
        out = self.source.read(first, size)
        out *= np.float32(self.gain)
        out += np.float32(self.bias)
        np.clip(out, -1, 1, out=out)
        if self.steps is None:
            return out
        return np.asarray(np.rint(out * self.steps) / self.steps, np.float32)


@dataclass(frozen=True, kw_only=True)
class Levelled(Over):
    """With a gain that follows the level: automatic gain, or a gate below `floor`."""

    seconds: float
    """How much sound the level is taken of."""
    floor: float
    gate: bool

    def read(self, first: int, size: int) -> Samples:
        """As `Stage`; the level is taken on a grid that does not depend on `first`."""
        step = round(self.seconds * self.rate / 4)
        low = first // step - 5
        count = size // step + 8
        wide = self.source.read(low * step, count * step)
        power = np.square(wide.reshape(count, step), dtype=np.float64).mean(axis=1)
        level = np.sqrt(np.convolve(power, np.full(4, 0.25))[:count])
        gain = 1.0 * (level > self.floor) if self.gate else 0.1 / (level + self.floor)
        at = np.arange(size) + (first - low * step)
        curve = np.interp(at, (np.arange(count) + 1) * step, gain)
        part = wide[first - low * step :][:size]
        return np.asarray(np.clip(part * curve, -1, 1), np.float32)


@dataclass(frozen=True, kw_only=True)
class Denoised(Over):
    """What a phone's noise suppression leaves: bins near their own floor turned down to a tenth."""

    floor: Samples
    """(bins,) magnitude of the noise."""

    def read(self, first: int, size: int) -> Samples:
        """As `Stage`."""
        frame, hop = frame_sizes(self.rate)
        low = first // hop - 2
        count = size // hop + 5
        wide = self.source.read(low * hop, (count - 1) * hop + frame)
        spectra = frames_of(wide, self.rate)
        share = np.abs(spectra) / (self.floor + 1e-9)
        gain = np.clip((share - 1.5) / 1.5, 0.1, 1.0)
        pieces = np.fft.irfft(spectra * gain, frame, axis=1) * _root_hann(frame)
        out = np.zeros(wide.size)
        for number, piece in enumerate(pieces):
            out[number * hop : number * hop + frame] += piece
        return out[first - low * hop :][:size].astype(np.float32)


def frame_sizes(rate: int) -> tuple[int, int]:
    """Samples of a frame of `Denoised`, and from one to the next."""
    hop = round(_GRID_S * rate)
    return 2 * hop, hop


def frames_of(samples: Samples, rate: int) -> NDArray[np.complex128]:
    """(frames, bins) spectra of half overlapping frames."""
    frame, hop = frame_sizes(rate)
    rows = np.lib.stride_tricks.sliding_window_view(samples, frame)[::hop]
    return np.asarray(np.fft.rfft(rows * _root_hann(frame), axis=1))


def _root_hann(size: int) -> NDArray[np.float64]:
    return np.asarray(np.sin(np.pi * (np.arange(size) + 0.5) / size))


@dataclass(frozen=True, kw_only=True)
class Windy(Over):
    """With gusts on the microphone: low noise that comes and goes."""

    gain: float
    seed: int

    def read(self, first: int, size: int) -> Samples:
        """As `Stage`."""
        reach = round(_FILTER_S * self.rate)
        rough = noise_at(self.seed, first - reach, size + 2 * reach)
        low = band_limit(rough, self.rate, low_hz=10, high_hz=150)[reach : reach + size]
        seconds = np.arange(first // self.rate - 1, (first + size) // self.rate + 2)
        gusts = [np.random.default_rng((42, self.seed, int(s) + 10)).random() for s in seconds]
        swell = np.interp(np.arange(first, first + size) / self.rate, seconds, np.square(gusts))
        return np.asarray(self.source.read(first, size) + self.gain * swell * low, np.float32)


def level_of(stage: Stage, begin: int, end: int) -> float:
    """Give the root mean square between two samples."""
    return rms(sampled(stage, begin, end))


def noise_floor(stage: Stage, quantile: float = 0.3) -> Samples:
    """(bins,) magnitude under which each bin of a `Denoised` frame is for that share of time."""
    spectra = np.abs(frames_of(sampled(stage), stage.rate))
    return np.asarray(np.quantile(spectra, quantile, axis=0), np.float32)


def frame_levels(samples: Samples, size: int) -> Samples:
    """(frames,) root mean squares of frames of `size`."""
    whole = samples[: samples.size // size * size].reshape(-1, size)
    return np.asarray(np.sqrt(np.square(whole, dtype=np.float64).mean(axis=1)), np.float32)


def total_lost(losses: Sequence[tuple[int, int]]) -> int:
    """Samples that are gone in all."""
    return sum(lost for _, lost in losses)
