"""Voices for generated recordings: espeak-ng where it is installed, else a formant synthesiser."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

SENTENCES = (
    "Hello, and welcome to the studio.",
    "Today the camera stands at the back of the room, and hears far too much of it.",
    "The recorder is clipped to my collar, one hand below the chin.",
    "Both of them write down the same words, each by its own clock.",
    "Every other second the wall turns white, and you hear a click.",
    "If the picture and the sound belong together, they arrive at once.",
    "A tenth of a second is enough to look wrong, and a twentieth to feel wrong.",
    "So we measure it, and then we move the sound to where it was heard.",
    "Seventeen boxes of old cables were waiting behind the curtain.",
    "Nobody knew which of the two machines had been started first.",
    "By the end of a long evening they were eleven frames apart.",
    "That is all for now, thank you very much for listening.",
)

_VOWELS = np.array(  # first three formants in Hz, after Peterson and Barney (1952)
    [
        (730, 1090, 2440), (270, 2290, 3010), (530, 1840, 2480), (570, 840, 2410),
        (300, 870, 2240), (660, 1720, 2410), (490, 1350, 1690), (640, 1190, 2390),
    ],
    dtype=np.float64,
)  # fmt: skip
_CONTROL_RATE = 200
_HARMONICS = 38


def speak(seconds: float, rate: int, rng: np.random.Generator, engine: str = "auto") -> Samples:
    """Speech of exactly `seconds` at `rate`, peak 0.5; engine is auto, espeak or synth."""
    if engine == "auto":
        engine = "espeak" if shutil.which("espeak-ng") else "synth"
    if engine == "espeak":
        speech = _espeak_until(seconds, rate, rng)
    elif engine == "synth":
        speech = synthesise(seconds, rate, rng)
    else:
        raise ValueError(f"no such voice: {engine}")
    return (speech * (0.5 / max(float(np.abs(speech).max()), 1e-9))).astype(np.float32)


def _espeak_until(seconds: float, rate: int, rng: np.random.Generator) -> Samples:
    """Sentences with pauses between them, said again in another voice where they run out."""
    out = np.zeros(round(seconds * rate), np.float32)
    position = round(0.3 * rate)
    count = 0
    while position < out.size:
        if count % len(SENTENCES) == 0:
            pitch, speed = (45, 165) if count == 0 else (int(rng.integers(20, 80)), 165)
        said = espeak(SENTENCES[count % len(SENTENCES)], rate, pitch=pitch, speed=speed)
        fits = said[: out.size - position]
        out[position : position + fits.size] = fits
        position += said.size + round(float(rng.uniform(0.2, 0.45)) * rate)
        count += 1
    return out


def espeak(
    text: str, rate: int, *, pitch: int = 50, speed: int = 165, name: str = "en-us"
) -> Samples:
    """Give what espeak-ng says in the voice of that name, mono at `rate`."""
    command = ["espeak-ng", "--stdout", "-v", name, "-p", str(pitch), "-s", str(speed), text]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60
    )
    with wave.open(io.BytesIO(done.stdout)) as file:
        # The header's length is a placeholder when espeak writes to a pipe: count the bytes.
        said = np.frombuffer(file.readframes(len(done.stdout) // 2), "<i2") / 32768
        return _resample(said, file.getframerate(), rate)


def _resample(samples: NDArray[np.float64], source: int, target: int) -> Samples:
    """Band-limited resampling of a short piece through its spectrum."""
    size = round(samples.size * target / source)
    spectrum = np.fft.rfft(samples)
    kept = np.zeros(size // 2 + 1, complex)
    common = min(spectrum.size, kept.size)
    kept[:common] = spectrum[:common]
    return (np.fft.irfft(kept, size) * (size / samples.size)).astype(np.float32)


def synthesise(seconds: float, rate: int, rng: np.random.Generator) -> Samples:
    """Speech-like sound of `seconds`: voiced syllables with moving formants, hisses and pauses."""
    size = round(seconds * rate)
    loudness, pitch, formants, hiss = _syllables(int(seconds * _CONTROL_RATE) + 2, rng)
    control = np.arange(loudness.size) * (rate / _CONTROL_RATE)
    at = np.arange(size, dtype=np.float64)
    phase = np.cumsum(np.interp(at, control, pitch)) * (2 * np.pi / rate)
    out = np.zeros(size)
    for harmonic in range(1, _HARMONICS + 1):
        gain = loudness * _formant_gain(pitch * harmonic, formants) / harmonic
        out += np.interp(at, control, gain) * np.sin(harmonic * phase)
    noise = np.diff(rng.standard_normal(size + 1))  # brighter than white, as a hiss is
    out += 0.12 * noise * np.interp(at, control, hiss)
    return out.astype(np.float32)


def _formant_gain(
    frequency: NDArray[np.float64], formants: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum of three resonances at (control,) frequencies, given (control, 3) centres in Hz."""
    width = np.array([90.0, 120.0, 180.0])
    return np.asarray((1 / (1 + ((frequency[:, None] - formants) / width) ** 2)).sum(axis=1) + 0.02)


def _syllables(
    size: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Control tracks at 200 Hz: loudness (n,), pitch in Hz (n,), formants (n, 3), hiss (n,)."""
    loudness, hiss = np.zeros(size), np.zeros(size)
    pitch, formants = np.full(size, 120.0), np.full((size, 3), (500.0, 1500.0, 2500.0))
    at, left = 40, 0
    while at < size:
        if left == 0:
            left, base = int(rng.integers(5, 13)), float(rng.uniform(115, 145))
            at += int(rng.integers(50, 150))
        length = int(rng.integers(22, 55))
        span = slice(at, min(at + length, size))
        count = max(span.stop - span.start, 0)
        arch = np.sin(np.linspace(0, np.pi, length))[:count]
        loudness[span] = rng.uniform(0.5, 1.0) * arch**0.6
        pitch[at:] = base * rng.uniform(0.9, 1.12)
        formants[at:] = _VOWELS[int(rng.integers(len(_VOWELS)))] * rng.uniform(0.95, 1.05)
        if rng.random() < 0.5:
            hiss[max(at - 14, 0) : at] = np.hanning(14)[: max(min(at, size) - max(at - 14, 0), 0)]
        base *= 0.985
        at, left = at + length, left - 1
    return loudness, _smooth(pitch), np.stack([_smooth(f) for f in formants.T], axis=1), hiss


def _smooth(track: NDArray[np.float64], width: int = 15) -> NDArray[np.float64]:
    """Take the track's moving average, its ends held."""
    padded = np.pad(track, width // 2, mode="edge")
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")
