"""A shoot whose truth is known: long recordings, and short clips that heard parts of them."""

from __future__ import annotations

import random
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avpipe.benchmarks.scene import Samples, pink_noise
from avpipe.benchmarks.truth.music import song
from avpipe.benchmarks.voice import synthesise
from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.process import run

RATE = 16_000
CLIP_S = 10
_MUSIC_EVERY = 4
"""One of so many recordings is music, the others are speech."""
_NOISE = 0.3
"""Of a camera's own noise, against what it hears: 10 dB less."""
_MAKING_S = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """A camera's file, and what it heard."""

    path: Path
    recording: Path | None
    """None of a clip that no recorder heard."""
    begin_s: float
    """When it began, in the recording."""


def make_shoot(
    folder: Path, ffmpeg: Ffmpeg, *, clips: int, recordings: int, strangers: int, seconds: float
) -> list[Clip]:
    """Make the files of a shoot whose names say nothing; clips last 10 s, recordings `seconds`."""
    rng = random.Random(1)
    folder.mkdir(parents=True)
    names = iter(rng.sample(range(10_000), clips + recordings + strangers))
    sounds = {folder / f"r{next(names):04}.wav": _heard(n, seconds) for n in range(recordings)}
    for path, sound in sounds.items():
        _write(path, sound)
    found = []
    for number in range(clips):
        (path, sound) = list(sounds.items())[number % recordings]
        begin_s = round(rng.uniform(0, seconds - CLIP_S), 3)
        at = round(begin_s * RATE)
        clip = folder / f"c{next(names):04}.mp4"
        _film(clip, sound[at : at + CLIP_S * RATE], ffmpeg, seed=number)
        found.append(Clip(path=clip, recording=path, begin_s=begin_s))
    for number in range(strangers):
        clip = folder / f"c{next(names):04}.mp4"
        _film(clip, _heard(1000 + number, CLIP_S), ffmpeg, seed=1000 + number)
        found.append(Clip(path=clip, recording=None, begin_s=0.0))
    return found


def _heard(number: int, seconds: float) -> Samples:
    if number % _MUSIC_EVERY == _MUSIC_EVERY - 1:
        played = song(number, 1, seconds, RATE)
        return played * np.float32(0.5 / max(float(np.abs(played).max()), 1e-9))
    return synthesise(seconds, RATE, np.random.default_rng((7, number))) * np.float32(0.5)


def _film(path: Path, sound: Samples, ffmpeg: Ffmpeg, *, seed: int) -> None:
    """A clip with a small picture, its microphone far off and noisy."""
    noise = pink_noise(sound.size, np.random.default_rng((8, seed)))
    noise *= np.float32(_NOISE * 0.3 * float(np.std(sound)))
    wav = path.with_suffix(".part.wav")
    _write(wav, sound * np.float32(0.3) + noise)
    source = f"testsrc2=size=64x36:rate=10:duration={CLIP_S}"
    argv = [
        *(ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error", "-y", "-f", "lavfi"),
        *("-i", source, "-i", f"file:{wav}", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "96k", f"file:{path}"),
    ]
    run(argv, "making a clip", stall_s=_MAKING_S)
    wav.unlink()


def _write(path: Path, sound: Samples) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "NONE"))
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
