"""A scene with known truth: when it flashes and clicks, and how two devices hear it.

The time line is the video's: 0 is its first frame. A recorder that starts at `offset_s` and whose
clock runs `drift_ppm` too fast writes its sample `n` at `offset_s + n / rate / (1 + drift)`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

PULSE_HZ = 2000.0
PULSE_SIGMA_S = 0.0003
_TAPS = 64
_DEGREE = 9
_BLOCK = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What happens, and how far the two recordings of it are apart."""

    seconds: Fraction = Fraction(20)
    """How long the video is asked to be; it has a whole number of frames."""
    frame_rate: Fraction = Fraction(30)
    recorder_seconds: Fraction = Fraction(22)
    """By the recorder's own clock."""
    offset_s: Fraction = Fraction(0)
    """Where the recorder's first sample belongs on the video's time line."""
    drift_ppm: Fraction = Fraction(0)
    """How much too long the recording runs."""
    flash_every: Fraction = Fraction(2)
    sample_rate: int = 48_000
    snr_db: float = 15.0
    """Of the room's sound at the camera over its noise."""
    rt60_s: float = 0.5
    direct_to_reverb_db: float = 3.0
    seed: int = 1

    @property
    def frame_count(self) -> int:
        """Frames in the video."""
        return round(self.seconds * self.frame_rate)

    @property
    def video_seconds(self) -> Fraction:
        """The video's exact length."""
        return self.frame_count / self.frame_rate

    @property
    def flash_frames(self) -> tuple[int, ...]:
        """The frames nearest to the multiples of `flash_every` inside the video."""
        count = int(self.video_seconds / self.flash_every)
        frames = (round(k * self.flash_every * self.frame_rate) for k in range(1, count + 1))
        return tuple(frame for frame in frames if frame < self.frame_count)

    @property
    def flash_times(self) -> tuple[Fraction, ...]:
        """When the flashes are shown, which is when they click."""
        return tuple(frame / self.frame_rate for frame in self.flash_frames)

    @property
    def recorder_scale(self) -> Fraction:
        """Seconds of the recorder's clock in one second of the video's."""
        return 1 + self.drift_ppm / 1_000_000

    @property
    def world_start(self) -> Fraction:
        """The earlier of the two starts, less a margin, on the video's time line."""
        return min(Fraction(0), self.offset_s) - Fraction(1, 10)

    @property
    def world_seconds(self) -> Fraction:
        """From `world_start` to a margin after the later end."""
        recorder_end = self.offset_s + self.recorder_seconds / self.recorder_scale
        return max(self.video_seconds, recorder_end) + Fraction(1, 10) - self.world_start


def pulse(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the click, 1 at 0 s: a 2 kHz wave under a Gaussian, whose time is its centre."""
    envelope = np.exp(-0.5 * (seconds / PULSE_SIGMA_S) ** 2)
    return np.asarray(envelope * np.cos(2 * np.pi * PULSE_HZ * seconds))


def click_track(
    times: Iterable[Fraction | float], size: int, rate: int, *, start: Fraction | float = 0
) -> Samples:
    """(size,) samples from `start`, a pulse of height 1 at each time, placed between samples."""
    out = np.zeros(size, np.float32)
    reach = int(6 * PULSE_SIGMA_S * rate) + 1
    for time in times:
        centre = (Fraction(time) - Fraction(start)) * rate
        first = max(round(centre) - reach, 0)
        at = np.arange(first, min(round(centre) + reach + 1, size))
        distance = (at - round(centre)) - float(centre - round(centre))
        out[at] += pulse(distance / rate).astype(np.float32)
    return out


def world_sound(scene: Scene, voice: Samples) -> Samples:
    """Give what is heard close by from `world_start` on: the voice, a click with every flash."""
    size = round(scene.world_seconds * scene.sample_rate)
    out = click_track(scene.flash_times, size, scene.sample_rate, start=scene.world_start) * 0.45
    out[: voice.size] += voice[:size]
    return out.astype(np.float32)


def camera_sound(scene: Scene, world: Samples, rng: np.random.Generator) -> Samples:
    """Give the video's own sound, as long as it: the room, a small microphone's band, noise."""
    response = room(scene.rt60_s, scene.direct_to_reverb_db, scene.sample_rate, rng)
    heard = convolve(world, response)[: world.size]
    start = round(-scene.world_start * scene.sample_rate)
    heard = heard[start : start + round(scene.video_seconds * scene.sample_rate)]
    noise = pink_noise(heard.size, rng)
    noise *= rms(heard) / rms(noise) * 10 ** (-scene.snr_db / 20)
    out = band_limit(heard + noise, scene.sample_rate, low_hz=120, high_hz=9000)
    return (out * (0.7 / float(np.abs(out).max()))).astype(np.float32)


def recorder_sound(scene: Scene, world: Samples, rng: np.random.Generator) -> Samples:
    """Give the recorder's sound: close and clean, on its own clock, from `offset_s`."""
    size = round(scene.recorder_seconds * scene.sample_rate)
    first = (scene.offset_s - scene.world_start) * scene.sample_rate
    heard = resample_at(world, first, 1 / scene.recorder_scale, size)
    noise = pink_noise(size, rng)
    return heard + noise * np.float32(rms(heard) / rms(noise) * 10 ** (-55 / 20))


def resample_at(samples: Samples, first: Fraction, step: Fraction, size: int) -> Samples:
    """Give the values at `first + n * step`, band-limited (64-tap Kaiser sinc); 0 outside.

    The kernel is a polynomial of the fraction of a sample (Farrow 1988), so that each power of the
    fraction is one filter over all samples.
    """
    if step == 1 and first.denominator == 1:
        return _whole(samples, int(first), size)
    out = np.empty(size, np.float32)
    for begin in range(0, size, _BLOCK):
        count = min(_BLOCK, size - begin)
        origin = first + begin * step
        whole = origin.numerator // origin.denominator
        at = float(origin - whole) + np.arange(count) * float(step)
        index = np.floor(at).astype(np.int64)
        fraction = (at - index - 0.5).astype(np.float32)
        needed = int(index[-1]) + _TAPS
        powers = _filtered(_whole(samples, whole - _TAPS // 2 + 1, needed))
        value = powers[-1][index]
        for power in powers[-2::-1]:
            value *= fraction
            value += power[index]
        out[begin : begin + count] = value
    return out


def _filtered(samples: Samples) -> Samples:
    """(degree + 1, n) samples through the filter of each power of the fraction, from its first."""
    size = 1 << int(samples.size + _TAPS - 1).bit_length()
    spectra = np.fft.rfft(samples, size) * _kernel_spectra(size)
    return np.asarray(np.fft.irfft(spectra, size, axis=1)[:, : samples.size], np.float32)


@functools.lru_cache(maxsize=4)
def _kernel_spectra(size: int) -> NDArray[np.complex64]:
    """(degree + 1, bins) conjugate spectra of the kernel's coefficients."""
    return np.asarray(np.fft.rfft(_kernel(), size, axis=1).conj(), np.complex64)


def _whole(samples: Samples, first: int, size: int) -> Samples:
    """Exactly the samples from `first` on, zeros where there are none."""
    out = np.zeros(size, np.float32)
    source = samples[max(first, 0) : max(first + size, 0)]
    out[max(-first, 0) : max(-first, 0) + source.size] = source
    return out


def _kernel() -> NDArray[np.float64]:
    """(degree + 1, taps) coefficients of the windowed sinc in powers of the fraction less 0.5."""
    fraction = 0.5 + 0.5 * np.cos(np.pi * (np.arange(4 * _DEGREE) + 0.5) / (4 * _DEGREE))
    distance = np.arange(_TAPS) - (_TAPS // 2 - 1) - fraction[:, None]
    inside = np.clip(1 - (distance / (_TAPS / 2)) ** 2, 0, None)
    kernels = np.sinc(distance) * np.i0(9.0 * np.sqrt(inside)) / np.i0(9.0)
    kernels /= kernels.sum(axis=1, keepdims=True)
    return np.asarray(np.polynomial.polynomial.polyfit(fraction - 0.5, kernels, _DEGREE))


def room(rt60_s: float, direct_to_reverb_db: float, rate: int, rng: np.random.Generator) -> Samples:
    """Give an impulse response: the direct sound at sample 0, then decaying noise."""
    size = round(1.2 * rt60_s * rate)
    time = np.arange(size) / rate
    tail = rng.standard_normal(size) * 10 ** (-3 * time / rt60_s)
    tail[: round(0.004 * rate)] = 0
    tail *= 10 ** (-direct_to_reverb_db / 20) / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    return tail.astype(np.float32)


def convolve(samples: Samples, response: Samples) -> Samples:
    """Convolve in full, in blocks, so that hours need no more memory than minutes."""
    fft_size = 1 << max(17, int(response.size * 2 - 1).bit_length())
    step = fft_size - response.size + 1
    spectrum = np.fft.rfft(response, fft_size)
    out = np.zeros(samples.size + fft_size, np.float32)
    for begin in range(0, samples.size, step):
        block = np.fft.rfft(samples[begin : begin + step], fft_size) * spectrum
        out[begin : begin + fft_size] += np.fft.irfft(block, fft_size).astype(np.float32)
    return out[: samples.size + response.size - 1]


def pink_noise(size: int, rng: np.random.Generator) -> Samples:
    """Noise of unit variance whose power falls by 3 dB an octave."""
    spectrum = np.fft.rfft(rng.standard_normal(size).astype(np.float32))
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.size), 1.0)).astype(np.float32)
    noise = np.fft.irfft(spectrum, size).astype(np.float32)
    return noise / np.float32(noise.std() + 1e-12)


def band_limit(samples: Samples, rate: int, *, low_hz: float, high_hz: float) -> Samples:
    """Keep what a small microphone leaves: gentle slopes below `low_hz` and above `high_hz`."""
    spectrum = np.fft.rfft(samples)
    frequency = np.maximum(np.fft.rfftfreq(samples.size, 1 / rate), 1e-3)
    gain = 1 / np.sqrt((1 + (low_hz / frequency) ** 4) * (1 + (frequency / high_hz) ** 8))
    return np.fft.irfft(spectrum * gain, samples.size).astype(np.float32)


def rms(samples: Samples) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)) + 1e-20))
