"""`--loudness`: what comes out is as loud as was asked for, and its peaks are held."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from measure import click_times, level_db
from media_factory import make_audio, make_video
from merging import FFMPEGS, either_ffmpeg, merge, payloads, track_ends

from avpipe import jsonform
from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.loudness import Level, Loudness, file_meter, measure_loudness
from avpipe.errors import RenderError
from avpipe.plan.values import Plan
from avpipe.recipe import Action
from avpipe.render.sound import next_level
from avpipe.updates import Done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loudness")
    make_video(folder / "camera.mp4", duration=12, rate=25, size=(128, 72), flashes=(1,))
    make_audio(folder / "quiet.wav", duration=12, noise=0.01, channels=2)
    make_audio(folder / "loud.flac", duration=12, noise=0.3)
    clicks = [Fraction(number) for number in range(1, 12)]
    make_audio(folder / "clicks.wav", duration=12, noise=0.03, clicks=clicks)
    silence = np.zeros((1, 12 * 48_000), np.float32)
    make_audio(folder / "silence.wav", samples=silence)
    return folder


def measured(path: Path, ffmpeg: str = "wheel") -> Loudness:
    return measure_loudness(Ffmpeg(FFMPEGS[ffmpeg]), file_meter(str(path)))


def checks(updates: tuple[Any, ...]) -> dict[str, Any]:
    assert isinstance(updates[-1], Done)
    return {check.name: check.value for check in updates[-1].checks}


@either_ffmpeg(
    "recording,wanted",
    [("quiet.wav", -14.0), ("loud.flac", -23.0), ("clicks.wav", -14.0), ("loud.flac", -11.3)],
)
def test_the_output_is_as_loud_as_was_asked_for(
    folder: Path, recording: str, wanted: float, ffmpeg: str
) -> None:
    """Up, down, and where the peaks would be too high: measured anew, by the other generation."""
    done = merge(
        folder, folder / "camera.mp4", folder / recording, loudness_lufs=wanted, ffmpeg=ffmpeg
    )
    found = measured(done.path, "wheel" if ffmpeg == "debian" else "debian")
    assert found.integrated_lufs == pytest.approx(wanted, abs=0.5)
    assert found.true_peak_db is not None
    assert found.true_peak_db <= -0.95
    told = checks(done.updates)
    assert told["loudness_lufs"] == pytest.approx(found.integrated_lufs, abs=0.1)
    assert told["true_peak_db"] == pytest.approx(found.true_peak_db, abs=0.1)
    assert (done.plan.video, done.plan.audio) == (Action.COPY, Action.ENCODE)
    assert payloads(done.path, "video") == payloads(folder / "camera.mp4", "video")
    assert all(abs(end - 12) < 0.022 for end in track_ends(done.path).values())


def test_where_no_limit_is_needed_the_gain_is_one_and_the_same(folder: Path) -> None:
    """Every part of a sound becomes louder by the same; nothing is moved."""
    plain = merge(folder, folder / "camera.mp4", folder / "quiet.wav").path.rename(
        folder / "plain.mp4"
    )
    done = merge(folder, folder / "camera.mp4", folder / "quiet.wav", loudness_lufs=-20.0)
    steps = np.arange(0.5, 11.5, 1)
    rises = [level_db(done.path, t, t + 1) - level_db(plain, t, t + 1) for t in steps]
    assert max(rises) - min(rises) < 0.1
    assert rises[0] > 5


def test_a_limit_leaves_the_clicks_where_they_are(folder: Path) -> None:
    done = merge(folder, folder / "camera.mp4", folder / "clicks.wav", loudness_lufs=-14.0)
    found = click_times(done.path, threshold=0.3)
    assert found == pytest.approx(range(1, 12), abs=0.0002)


def test_silence_stays_silence(folder: Path) -> None:
    done = merge(folder, folder / "camera.mp4", folder / "silence.wav", loudness_lufs=-14.0)
    assert checks(done.updates)["loudness_lufs"] is None
    assert level_db(done.path, 0, 12) < -90


def test_a_plan_holds_the_loudness_and_says_why_the_sound_is_encoded(folder: Path) -> None:
    done = merge(folder, folder / "camera.mp4", folder / "quiet.wav", loudness_lufs=-14.0)
    assert "encode_audio_loudness" in done.codes
    text = jsonform.dumps(done.plan)
    assert jsonform.loads(Plan, text).loudness_lufs == -14.0
    assert jsonform.dumps(jsonform.loads(Plan, text)) == text


def test_a_peak_that_an_encoder_adds_lowers_the_ceiling() -> None:
    first = Level(gain_db=6.0)
    over = Loudness(integrated_lufs=-14.0, true_peak_db=-0.5)
    limited = next_level([(first, over)], -14.0)
    assert limited == Level(gain_db=6.0, ceiling_db=-1.5)
    assert next_level([(limited, over)], -14.0).ceiling_db == pytest.approx(-2.1)
    quiet = Loudness(integrated_lufs=-15.0, true_peak_db=-1.2)
    louder = next_level([(limited, quiet)], -14.0)
    assert louder == Level(gain_db=7.0, ceiling_db=-1.5)
    half = Loudness(integrated_lufs=-14.5, true_peak_db=-1.2)
    assert next_level([(limited, quiet), (louder, half)], -14.0).gain_db == pytest.approx(8.0)
    right = Loudness(integrated_lufs=-14.1, true_peak_db=-1.2)
    assert next_level([(limited, right)], -14.0) == limited


def test_what_cannot_be_that_loud_is_said(folder: Path) -> None:
    with pytest.raises(RenderError, match="cannot be brought to -5 LUFS"):
        merge(folder, folder / "camera.mp4", folder / "loud.flac", loudness_lufs=-5.0)
