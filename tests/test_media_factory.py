"""The factory and the measurements are checked against each other, and against PyAV's own view."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from measure import (
    click_times,
    flash_times,
    frame_gray,
    level_db,
    read_sound,
    shown_frames,
    stream_extents,
)
from media_factory import MadeVideo, add_subtitles, make_audio, make_video

from avpipe.benchmarks.scene import Scene, camera_sound, click_track, recorder_sound, world_sound

EXACT_S = 0.00005
MKV_S = 0.0005  # Matroska writes whole milliseconds


def assert_in_sync(made: MadeVideo, *, picture_s: float = 0.0, sound_s: float = EXACT_S) -> None:
    flashes, clicks = flash_times(made.path), click_times(made.path)
    assert len(flashes) == len(clicks) == len(made.flash_times)
    for flash, click, true in zip(flashes, clicks, made.flash_times, strict=True):
        assert abs(flash - true) <= picture_s
        assert abs(click - float(true)) <= sound_s


@pytest.mark.parametrize("rate", ["24000/1001", "25", "30000/1001", "60000/1001"])
def test_flash_and_click_are_found_where_they_were_put(tmp_path: Path, rate: str) -> None:
    made = make_video(tmp_path / "a.mp4", rate=Fraction(rate))
    assert_in_sync(made)
    video, audio = stream_extents(made.path)
    assert video.start == audio.start == 0
    assert video.end == made.duration
    assert abs(audio.told_end - made.duration) <= Fraction(1, 48_000)


@pytest.mark.parametrize("codec", ["pcm_s16le", "flac", "aac", "libopus"])
def test_codecs_in_matroska(tmp_path: Path, codec: str) -> None:
    assert_in_sync(make_video(tmp_path / "a.mkv", audio_codec=codec), picture_s=MKV_S)


@pytest.mark.parametrize("codec", ["pcm_s16le", "alac"])
def test_codecs_in_quicktime(tmp_path: Path, codec: str) -> None:
    assert_in_sync(make_video(tmp_path / "a.mov", audio_codec=codec))


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"start": Fraction(1, 2)}, id="picture starts later"),
        pytest.param({"audio_start": Fraction(1, 3)}, id="sound starts later"),
        pytest.param({"rate": 25, "interlaced": True}, id="interlaced"),
        pytest.param({"hdr": "pq", "pixel_format": "yuv420p10le"}, id="hdr"),
        pytest.param({"options": {"movflags": "frag_keyframe+empty_moov"}}, id="fragmented"),
        pytest.param({"b_frames": 0, "channels": 1, "audio_rate": 44_100}, id="plain"),
    ],
)
def test_variants_keep_flash_and_click_together(tmp_path: Path, spec: dict[str, Any]) -> None:
    assert_in_sync(make_video(tmp_path / "a.mp4", **spec))


@pytest.mark.parametrize(("suffix", "picture_s"), [("mp4", 0.0), ("mkv", MKV_S)])
def test_variable_rate_keeps_every_time(tmp_path: Path, suffix: str, picture_s: float) -> None:
    times = [Fraction(i, 30) + Fraction(i * i % 7, 300) for i in range(60)]
    made = make_video(tmp_path / f"a.{suffix}", times=times, rate=30)
    assert_in_sync(made, picture_s=picture_s)
    shown = shown_frames(made.path)
    assert [frame.number for frame in shown] == list(range(60))
    assert all(abs(a.time - b) <= picture_s for a, b in zip(shown, times, strict=True))


def test_flags_reach_the_file(tmp_path: Path) -> None:
    made = make_video(
        tmp_path / "a.mp4",
        frames=20,
        rotation=90,
        sar=Fraction(4, 3),
        hdr="hlg",
        pixel_format="yuv420p10le",
        audio=("clicks", "tone"),
        metadata={"title": "A title"},
        chapters=[(0, Fraction(1, 2), "one")],
    )
    target = add_subtitles(made.path, tmp_path / "b.mp4", [(0.0, 0.5, "Hello")])
    with av.open(str(target)) as file:
        stream = file.streams.video[0]
        assert next(file.decode(stream)).rotation == -90  # PyAV counts anticlockwise
        assert stream.sample_aspect_ratio == Fraction(4, 3)
        assert stream.codec_context.color_trc == 18
        assert (len(file.streams.audio), len(file.streams.subtitles)) == (2, 1)
        assert file.metadata["title"] == "A title"
        assert file.chapters()[0]["metadata"] == {"title": "one"}


@pytest.mark.parametrize(
    ("suffix", "delay_s"),
    [
        *((suffix, 0) for suffix in ("wav", "flac", "mp3", "m4a", "ogg", "opus", "aiff", "caf")),
        ("aac", 1024 / 48_000),  # nothing in ADTS tells of the encoder's delay
    ],
)
def test_audio_files(tmp_path: Path, suffix: str, delay_s: float) -> None:
    clicks = (Fraction(1, 2), 1, Fraction(7, 4))
    path = make_audio(tmp_path / f"a.{suffix}", clicks=clicks)
    assert click_times(path) - delay_s == pytest.approx([float(t) for t in clicks], abs=EXACT_S)


def test_levels_gaps_and_frames(tmp_path: Path) -> None:
    half = click_track([], 24_000, 48_000) + np.float32(0.5)
    made = make_video(
        tmp_path / "a.mov", audio=half, audio_codec="pcm_s16le", channels=1, audio_start=1
    )
    assert level_db(made.path, 1.1, 1.4) == pytest.approx(-6.02, abs=0.01)
    assert level_db(made.path, 0, 0.9) == -np.inf
    assert read_sound(made.path).start == 1
    lit, dark = frame_gray(made.path, made.flash_times[0]), frame_gray(made.path, 1)
    assert lit.shape == (180, 320)
    assert lit[:100].mean() > 200 > 100 > dark[:100].mean()


@pytest.mark.parametrize(("offset", "drift"), [("-1.25", "40"), ("3/7", "-273"), ("0", "0")])
def test_scene_puts_the_recorder_where_it_says(offset: str, drift: str) -> None:
    scene = Scene(
        seconds=Fraction(8),
        recorder_seconds=Fraction(9),
        offset_s=Fraction(offset),
        drift_ppm=Fraction(drift),
        snr_db=40,
    )
    world = world_sound(scene, np.zeros(1, np.float32))
    rng = np.random.default_rng(1)
    heard = recorder_sound(scene, world, rng)
    true = [(time - scene.offset_s) * scene.recorder_scale for time in scene.flash_times]
    assert len(true) == 3
    for time in true:
        span = slice(round(time * 48_000) - 300, round(time * 48_000) + 300)
        expected = click_track([time], heard.size, 48_000) * np.float32(0.45)
        assert np.abs(heard[span] - expected[span]).max() < 0.005
    assert camera_sound(scene, world, rng).size == 8 * 48_000
