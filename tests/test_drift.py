"""Clock drift is taken out by resampling: in place from end to end, and without loss."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from measure import click_times
from media_factory import MadeVideo, make_audio, make_video, tone
from merging import FFMPEGS, SAMPLE_S, assert_ends, both_ffmpegs, merge

from avpipe.codecs.graph import audio_arguments
from avpipe.codecs.probe import probe
from avpipe.plan.make import make_plan
from avpipe.plan.request import Request, Sync, VideoMode
from avpipe.plan.values import Machine, Plan
from avpipe.recipe import AUDIO_RATE

CLICKS = tuple(Fraction(second) for second in (1, 30, 59))
DRIFTS = (Fraction(-300), Fraction(100), Fraction("12.34"))


@pytest.fixture(scope="session")
def mute(tmp_path_factory: pytest.TempPathFactory) -> MadeVideo:
    path = tmp_path_factory.mktemp("mute") / "mute.mp4"
    return make_video(path, size=(64, 36), rate=5, duration=60, audio=None)


def planned(video: Path, audio: Path, **asked: object) -> Plan:
    request = Request(
        video=str(video), audio=str(audio), output="/out/film.mp4", sync=Sync.START, **asked
    )
    return make_plan(request, probe(str(video)), (probe(str(audio)),), Machine(cores=2))


@both_ffmpegs
@pytest.mark.parametrize("drift", DRIFTS)
def test_head_middle_and_tail_are_in_place(
    tmp_path: Path, mute: MadeVideo, drift: Fraction, ffmpeg: str
) -> None:
    offset = Fraction("0.2345")
    scale = 1 + drift / 10**6
    audio = make_audio(
        tmp_path / "a.wav",
        duration=61,
        rate=44_100,
        clicks=[(click - offset) * scale for click in CLICKS],
    )
    mode = VideoMode.ENCODE if drift == DRIFTS[1] else VideoMode.COPY
    merged = merge(
        tmp_path,
        mute.path,
        audio,
        ffmpeg=ffmpeg,
        offset_s=float(offset),
        drift=str(float(drift)),
        video_mode=mode,
    )
    assert_ends(merged)
    assert click_times(merged.path) == pytest.approx([float(c) for c in CLICKS], abs=SAMPLE_S)


@both_ffmpegs
@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("hertz", [997.0, 18_000.0])
def test_a_tone_keeps_95_db(
    tmp_path: Path, mute: MadeVideo, rate: int, hertz: float, ffmpeg: str
) -> None:
    """Of what the encoder is given: the encoder itself leaves 60 dB."""
    sound = 2 * tone(10 * rate, rate, hertz)
    audio = make_audio(tmp_path / "a.wav", rate=rate, samples=sound, codec="pcm_f32le")
    plan = planned(mute.path, audio, drift="100")
    argv = [FFMPEGS[ffmpeg], "-v", "error", *audio_arguments(plan.recipe, 0, "pipe:1")]
    raw = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    left = np.frombuffer(raw, np.float32)[::2].astype(np.float64)
    assert signal_to_noise_db(left[: 9 * AUDIO_RATE], hertz * (1 + 100e-6)) > 95


def signal_to_noise_db(samples: np.ndarray, hertz: float) -> float:
    """Power of the sine of a frequency over that of all else, away from the ends."""
    time = np.arange(samples.size) / AUDIO_RATE
    inner = slice(1000, -1000)
    basis = np.stack([np.sin(2 * np.pi * hertz * time), np.cos(2 * np.pi * hertz * time)], axis=1)
    (weights, *_) = np.linalg.lstsq(basis[inner], samples[inner], rcond=None)
    rest = samples[inner] - basis[inner] @ weights
    return float(10 * np.log10(weights @ weights / 2 / np.mean(rest**2)))
