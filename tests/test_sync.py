"""The alignment engine on sounds whose place is known."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from avpipe.benchmarks.scene import Scene, camera_sound, recorder_sound, world_sound
from avpipe.benchmarks.voice import synthesise
from avpipe.media import Verdict
from avpipe.sync.engine import Source, align
from avpipe.sync.features import extract
from avpipe.sync.windows import FINE_RATE

Samples = NDArray[np.float32]
_HALF_BAND = (np.sinc(np.arange(-24, 25) / 2.1) / 2.1 * np.kaiser(49, 8)).astype(np.float32)


def source(samples: Samples) -> Source:
    """A recording at 16 kHz, in memory."""

    def read(_channel: int, start_s: float, duration_s: float) -> Samples:
        (first, size) = (round(start_s * FINE_RATE), round(duration_s * FINE_RATE))
        padded = np.zeros(size, np.float32)
        part = samples[max(first, 0) : max(first + size, 0)]
        padded[max(-first, 0) : max(-first, 0) + part.size] = part
        return padded

    coarse = np.convolve(samples, _HALF_BAND, "same")[::2].astype(np.float32)
    return Source(channels=(extract(coarse),), read=read)


def recordings(scene: Scene, voice_seed: int) -> tuple[Samples, Samples]:
    """What the camera and the recorder hear of a voice."""
    rng = np.random.default_rng(scene.seed)
    voice = synthesise(float(scene.world_seconds), FINE_RATE, np.random.default_rng(voice_seed))
    world = world_sound(scene, voice)
    return camera_sound(scene, world, rng), recorder_sound(scene, world, rng)


def test_a_voice_is_put_where_it_belongs() -> None:
    scene = Scene(
        seconds=Fraction(40),
        recorder_seconds=Fraction(45),
        offset_s=Fraction("-3.2345"),
        drift_ppm=Fraction(40),
        sample_rate=FINE_RATE,
        snr_db=5.0,
    )
    (camera, recorder) = recordings(scene, voice_seed=1)
    found = align(source(camera), source(recorder))
    assert found.verdict is Verdict.MATCHED
    assert found.offset_s is not None
    assert found.drift_ppm is not None
    for moment in (4.0, 43.0):
        truth = float(scene.offset_s) + moment / (1 + 40e-6)
        assert abs(found.offset_s + moment / (1 + found.drift_ppm / 1e6) - truth) < 0.5e-3


def test_another_voice_is_not_matched() -> None:
    scene = Scene(seconds=Fraction(30), sample_rate=FINE_RATE)
    (camera, _) = recordings(scene, voice_seed=1)
    (_, recorder) = recordings(scene, voice_seed=2)
    assert align(source(camera), source(recorder)).verdict is not Verdict.MATCHED
