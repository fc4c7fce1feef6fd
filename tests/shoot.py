"""A shoot as a folder: cameras and recorders that heard the same, generated, with its truth."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
from media_factory import make_audio, make_video
from numpy.typing import NDArray

from avpipe.benchmarks.scene import pink_noise
from avpipe.benchmarks.voice import synthesise

Samples = NDArray[np.float32]
RATE = 16_000


def voice(seconds: float, seed: int) -> Samples:
    """What somebody says."""
    return synthesise(seconds, RATE, np.random.default_rng(seed)) * np.float32(0.5)


def film(path: Path, said: Samples, begin: float, end: float, *, seed: int = 1) -> Path:
    """A camera's file of some seconds, its microphone noisy."""
    heard = said[round(begin * RATE) : round(end * RATE)] * np.float32(0.3)
    noise = pink_noise(heard.size, np.random.default_rng(seed)) * np.float32(0.004)
    make_video(
        path,
        size=(64, 36),
        rate=10,
        duration=Fraction(end - begin),
        audio=heard + noise,
        audio_rate=RATE,
        channels=1,
        flashes=(),
    )
    return path


def record(path: Path, said: Samples, begin: float, end: float) -> Path:
    """A recorder's file of some seconds."""
    return make_audio(path, samples=said[round(begin * RATE) : round(end * RATE)], rate=RATE)


def small_pairs(folder: Path, *names: str, seconds: int = 1) -> Path:
    """A folder with pairs of one content, each of files of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (first, *others) = names
    small_pair(folder, first, seconds=seconds)
    for name in others:
        for ending in (".mp4", ".wav"):
            shutil.copy(folder / f"{first}{ending}", folder / f"{name}{ending}")
    return folder


def small_pair(folder: Path, name: str, *, seconds: int = 1) -> None:
    """A video and a sound of one name, cheap to merge."""
    make_video(
        folder / f"{name}.mp4", size=(64, 36), rate=10, duration=seconds, flashes=(), audio=None
    )
    make_audio(folder / f"{name}.wav", duration=seconds, rate=RATE, tone_hz=440)
