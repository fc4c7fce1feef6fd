"""Dry sounds of any length, read from any place: talkers, songs, loops, places, hum, noise.

A sound is a row of segments. Each is made from its own seed when it is first asked for and kept
in a folder, so that hours need neither memory nor a second synthesis.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np

from avpipe.benchmarks import voice
from avpipe.benchmarks.scene import Samples
from avpipe.benchmarks.truth import music
from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.process import run

RATE = 16_000
"""Samples a second of every dry sound."""
SEGMENT_S = 120
TWICE_S = 30
SESSION_BEAT_S = 0.5
_PEAK = 0.5
_VERSION = 1
_VOICES = (
    "en-us", "en-gb+f3", "de+m3", "fr+f2", "en-us+m5", "es+f4", "it+m1", "en-us+f5",
    "nl+m7", "pt+f1", "pl+m2", "sv+f3", "en-gb+m8", "cs+f2",
)  # fmt: skip
"""Of espeak-ng; a talker of a higher number is synthesised."""
_WORDS = """
time year people way day man thing woman life child world school state family student group
country problem hand part place case week company system program question work government number
night point home water room mother area money story fact month lot right study book eye job word
business issue side kind head house service friend father power hour game line end member law car
city community name president team minute idea kid body information back parent face others level
office door health person art war history party result change morning reason research girl guy
moment air teacher force education and the of to in is that with for
"""


class Kind(StrEnum):
    """What is heard."""

    TALKER = "talker"
    """A number is a voice, a take what it says."""
    SONG = "song"
    """A number is a song, a take a performance of it; take 0 is programmed."""
    LOOP = "loop"
    """Four bars, repeated sample for sample."""
    PLACE = "place"
    """Ambience: a bed of noise with steps, birds, knocks, cars."""
    HUM = "hum"
    """Mains with harmonics."""
    NOISE = "noise"
    """Steady noise of some colour."""
    RECORDING = "recording"
    """A number is one of the library's recordings; silence follows it."""
    SILENCE = "silence"
    TWICE = "twice"
    """The first `TWICE_S` of a programmed song, again and again."""
    SESSION = "session"
    """A number is a programmed song; all have one tempo, and one machine plays their drums."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Names one dry sound; the same name is the same sound."""

    kind: Kind
    number: int = 0
    take: int = 0

    def __str__(self) -> str:
        return f"{self.kind}-{self.number}-{self.take}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """Makes and keeps segments of sounds."""

    folder: Path | None = None
    """Where they are kept; None keeps a few in memory."""
    segment_s: int = SEGMENT_S
    recordings: tuple[Samples, ...] = field(default=(), repr=False)
    """Real recordings at RATE."""

    def read(self, sound: Sound, first: int, size: int) -> Samples:
        """(size,) samples at RATE of a sound from sample `first` (0 or more) on."""
        out = np.zeros(size, np.float32)
        if sound.kind is Kind.RECORDING:
            part = self.recordings[sound.number][first : first + size]
            out[: part.size] = part
            return out
        length = self.segment_s * RATE
        at = 0
        while at < size:
            number, begin = divmod(first + at, length)
            part = self._segment(sound, number)[begin : begin + size - at]
            out[at : at + part.size] = part
            at += part.size
        return out

    def _segment(self, sound: Sound, number: int) -> Samples:
        if self.folder is None:
            return _remembered(sound, number, self.segment_s)
        maker = "espeak" if _has_espeak() else "synth"
        name = f"{sound}-{number}-{self.segment_s}s-{maker}-v{_VERSION}.npy"
        path = self.folder / name
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}.part")
            with part.open("wb") as file:
                np.save(file, _make(sound, number, self.segment_s))
            part.replace(path)
        loaded: Samples = np.load(path, mmap_mode="r")
        return loaded


@functools.lru_cache(maxsize=16)
def _remembered(sound: Sound, segment: int, seconds: int) -> Samples:
    return _make(sound, segment, seconds)


_SEEDS = (Kind.TALKER, Kind.SONG, Kind.LOOP, Kind.PLACE, Kind.HUM, Kind.NOISE, *Kind)


def decoded(paths: Iterable[Path], ffmpeg: Ffmpeg) -> tuple[Samples, ...]:
    """Give the sound of files at RATE, mono, peak 0.5. Raises ChildFailedError."""
    return tuple(_decode(path, ffmpeg) for path in paths)


def _decode(path: Path, ffmpeg: Ffmpeg) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "sound.f32")
        start = (ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error")
        plain = ("-map", "0:a:0", "-ac", "1", "-ar", str(RATE), "-f", "f32le", f"file:{raw}")
        run((*start, "-i", f"file:{path.absolute()}", *plain), "reading a recording")
        return _peaked(np.fromfile(raw, np.float32))


def _peaked(samples: Samples) -> Samples:
    """Peak 0.5."""
    return (samples * (_PEAK / max(float(np.abs(samples).max(initial=0)), 1e-9))).astype(np.float32)


def _make(sound: Sound, segment: int, seconds: int) -> Samples:
    """One segment, peak 0.5."""
    makers: dict[Kind, Callable[[Sound, int, int, np.random.Generator], Samples]] = {
        Kind.TALKER: _talk,
        Kind.SONG: lambda s, k, t, _: music.song(s.number + 1000 * k, s.take, t, RATE),
        Kind.LOOP: lambda s, _, t, __: music.loop(s.number, t, RATE),
        Kind.PLACE: lambda _, __, t, rng: _place(t, rng),
        Kind.HUM: lambda _, __, t, rng: _hum(t, rng),
        Kind.NOISE: lambda s, _, t, rng: _noise(s.number, t, rng),
        Kind.TWICE: lambda s, _, t, __: np.tile(
            music.song(s.number, music.PRODUCED, TWICE_S, RATE), -(-t // TWICE_S)
        )[: t * RATE],
        Kind.SESSION: lambda s, k, t, _: music.song(
            s.number + 1000 * k, music.PRODUCED, t, RATE, SESSION_BEAT_S
        ),
        Kind.SILENCE: lambda _, __, t, ___: np.zeros(t * RATE, np.float32),
    }
    kind = _SEEDS.index(sound.kind)
    rng = np.random.default_rng((kind, sound.number, sound.take, segment))
    return _peaked(makers[sound.kind](sound, segment, seconds, rng))


@functools.cache
def _has_espeak() -> bool:
    return shutil.which("espeak-ng") is not None


def _talk(sound: Sound, _segment: int, seconds: int, rng: np.random.Generator) -> Samples:
    """Random sentences by one voice."""
    if sound.number >= len(_VOICES) or not _has_espeak():
        return voice.synthesise(seconds, RATE, rng)
    out = np.zeros(seconds * RATE, np.float32)
    at = round(float(rng.uniform(0.1, 0.8)) * RATE)
    while at < out.size:
        text = " ".join(rng.choice(_WORDS.split(), int(rng.integers(25, 60))))
        speed = int(rng.integers(150, 185))
        said = voice.espeak(text, RATE, speed=speed, name=_VOICES[sound.number])[: out.size - at]
        out[at : at + said.size] = said
        at += said.size + round(float(rng.uniform(0.1, 1.5)) * RATE)
    return out


def _place(seconds: int, rng: np.random.Generator) -> Samples:
    """A bed of noise that swells, and up to three events a second."""
    size = seconds * RATE
    knots = np.exp(0.35 * rng.standard_normal(seconds // 2 + 2))
    swell = np.interp(np.arange(size), np.linspace(0, size, knots.size), knots)
    out = np.asarray(0.25 * _coloured(size, rng, float(rng.uniform(0.7, 1.3))) * swell, np.float32)
    for _ in range(int(seconds * float(rng.uniform(0.8, 3)))):
        event = _event(rng)
        first = int(rng.integers(0, size - event.size))
        out[first : first + event.size] += event
    return out


def _event(rng: np.random.Generator) -> Samples:
    """A knock, a chirp or a rumble of 0.05 to 0.75 s."""
    size = int(rng.integers(800, 12_000))
    time = np.arange(size) / RATE
    kind = int(rng.integers(3))
    if kind == 0:
        wave = rng.standard_normal(size) * np.exp(-time * float(rng.uniform(20, 90)))
    elif kind == 1:
        trill = 1 + 0.2 * np.sin(2 * np.pi * float(rng.uniform(4, 20)) * time)
        phase = np.cumsum(float(rng.uniform(1200, 5000)) * trill) / RATE
        wave = np.sin(2 * np.pi * phase) * np.hanning(size)
    else:
        wave = np.cumsum(rng.standard_normal(size)) * np.hanning(size) / 40
    return np.asarray(float(rng.uniform(0.1, 1.0)) * wave, np.float32)


def _hum(seconds: int, rng: np.random.Generator) -> Samples:
    """50 Hz, a little unsteady, fifteen harmonics, a little hiss."""
    time = np.arange(seconds * RATE) / RATE
    phase = (
        2 * np.pi * (50 * time + 0.02 * np.sin(2 * np.pi * time / 37 + float(rng.uniform(0, 6))))
    )
    out = 0.02 * rng.standard_normal(time.size)
    for harmonic in (1, 2, 3, 4, 5, 6, 7, 9, 11, 15):
        out += np.sin(harmonic * phase + float(rng.uniform(0, 6))) / harmonic
    return out.astype(np.float32)


def _noise(number: int, seconds: int, rng: np.random.Generator) -> Samples:
    """White, pink or between; the number decides."""
    slope = float(np.random.default_rng((31, number)).uniform(0, 1.5))
    return _coloured(seconds * RATE, rng, slope)


def _coloured(size: int, rng: np.random.Generator, slope: float) -> Samples:
    """Noise of unit variance whose power falls with frequency to the power of `slope`."""
    spectrum = np.fft.rfft(rng.standard_normal(size).astype(np.float32))
    spectrum /= np.maximum(np.arange(spectrum.size), size / 400) ** (slope / 2)
    out = np.fft.irfft(spectrum, size)
    return np.asarray(out / out.std(), np.float32)
