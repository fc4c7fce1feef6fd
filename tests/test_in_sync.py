"""A flash and a click that were together in the inputs are together in the output."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from measure import click_times, flash_times, shown_frames
from media_factory import MadeVideo, make_audio, make_video
from media_factory import ffmpeg as run_ffmpeg
from merging import SAMPLE_S, Merged, assert_ends, assert_shows, either_ffmpeg, merge

from avpipe.plan.request import Fit, VideoMode
from avpipe.recipe import Action

FLASHES = (Fraction(1), Fraction(8, 5))
OFFSETS = (Fraction(0), Fraction("0.7345"), Fraction("-0.7345"))
CAMERAS: dict[str, dict[str, Any]] = {
    "plain.mp4": {},
    "no-b-frames.mp4": {"b_frames": 0},
    "picture-later.mp4": {"start": Fraction(1, 2)},
    "sound-later.mp4": {"audio_start": Fraction(1, 3)},
    "sound-earlier.mp4": {"start": Fraction(1, 2), "audio_duration": 3},
    "a.mkv": {},
    "start.mkv": {"start": Fraction(1, 2)},
    "a.ts": {},
    "fragmented.mp4": {"options": {"movflags": "frag_keyframe+empty_moov"}},
    "a.mov": {"audio_codec": "pcm_s16le"},
    "vfr.mp4": {
        "rate": 30,
        "times": [Fraction(i, 30) + Fraction(i * i % 7, 300) for i in range(60)],
    },
    "webm.webm": {"codec": "libvpx", "audio_codec": "libopus"},
    "coarse.mp4": {"b_frames": 0, "options": {"video_track_timescale": "25"}},
    "a.avi": {"b_frames": 0, "audio_codec": "pcm_s16le"},
}
COARSE_S = {".mkv": 0.0005, ".webm": 0.0005, ".ts": 0.00001, ".avi": 0.00001}
"""How far a container's own clock may set a frame off its place."""
RECORDERS: dict[str, dict[str, Any]] = {
    "48.wav": {},
    "44.wav": {"rate": 44_100, "channels": 2},
    "96.wav": {"rate": 96_000},
    "8.wav": {"rate": 8000},
    "a.flac": {"rate": 44_100},
    "a.mp3": {"rate": 44_100, "channels": 2},
    "a.m4a": {},
    "44.m4a": {"rate": 44_100},
    "a.aac": {},
    "44.aac": {"rate": 44_100, "channels": 2},
    "a.ogg": {"channels": 2},
    "a.opus": {},
    "surround.flac": {"channels": 6},
}


@pytest.fixture(scope="session")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MadeVideo]:
    folder = tmp_path_factory.mktemp("cameras")
    basis = {"size": (160, 90), "rate": 25, "flashes": FLASHES}
    return {name: make_video(folder / name, **basis | spec) for name, spec in CAMERAS.items()}


@pytest.fixture(scope="session")
def recorders(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, Fraction], Path]:
    """Recordings by name and offset, whose clicks stand at the video's flashes."""
    folder = tmp_path_factory.mktemp("recorders")
    made = {}
    for name, spec in RECORDERS.items():
        for offset in OFFSETS:
            path = folder / f"{float(offset)}-{name}"
            clicks = [flash - offset for flash in FLASHES]
            made[name, offset] = make_audio(path, duration=3, clicks=clicks, **spec)
    return made


def assert_together(merged: Merged, camera: MadeVideo, *, origin: Fraction, near_s: float) -> None:
    true = [float(flash - origin) for flash in camera.flash_times]
    assert flash_times(merged.path) == pytest.approx(true, abs=near_s)
    heard = [float(flash - origin) for flash in FLASHES]
    assert click_times(merged.path) == pytest.approx(heard, abs=SAMPLE_S)


@either_ffmpeg(
    "name,offset,mode,fit",
    [
        ("plain.mp4", OFFSETS[0], VideoMode.COPY, Fit.VIDEO),
        ("plain.mp4", OFFSETS[1], VideoMode.AUTO, Fit.AUDIO),
        ("plain.mp4", OFFSETS[2], VideoMode.ENCODE, Fit.LONGEST),
        ("no-b-frames.mp4", OFFSETS[2], VideoMode.COPY, Fit.LONGEST),
        ("picture-later.mp4", OFFSETS[0], VideoMode.COPY, Fit.VIDEO),
        ("picture-later.mp4", OFFSETS[1], VideoMode.ENCODE, Fit.VIDEO),
        ("picture-later.mp4", OFFSETS[2], VideoMode.COPY, Fit.LONGEST),
        ("sound-later.mp4", OFFSETS[1], VideoMode.COPY, Fit.VIDEO),
        ("sound-later.mp4", OFFSETS[0], VideoMode.ENCODE, Fit.VIDEO),
        ("sound-earlier.mp4", OFFSETS[2], VideoMode.COPY, Fit.VIDEO),
        ("sound-earlier.mp4", OFFSETS[1], VideoMode.AUTO, Fit.SHORTEST),
        ("a.mkv", OFFSETS[0], VideoMode.COPY, Fit.VIDEO),
        ("a.mkv", OFFSETS[2], VideoMode.COPY, Fit.LONGEST),
        ("start.mkv", OFFSETS[1], VideoMode.COPY, Fit.VIDEO),
        ("start.mkv", OFFSETS[0], VideoMode.ENCODE, Fit.VIDEO),
        ("a.ts", OFFSETS[0], VideoMode.COPY, Fit.VIDEO),
        ("a.ts", OFFSETS[1], VideoMode.ENCODE, Fit.AUDIO),
        ("fragmented.mp4", OFFSETS[1], VideoMode.COPY, Fit.VIDEO),
        ("a.mov", OFFSETS[2], VideoMode.COPY, Fit.VIDEO),
        ("vfr.mp4", OFFSETS[2], VideoMode.COPY, Fit.VIDEO),
        ("vfr.mp4", OFFSETS[1], VideoMode.ENCODE, Fit.VIDEO),
        ("webm.webm", OFFSETS[1], VideoMode.AUTO, Fit.VIDEO),
        ("a.avi", OFFSETS[0], VideoMode.AUTO, Fit.VIDEO),
        ("a.avi", OFFSETS[2], VideoMode.AUTO, Fit.AUDIO),
        ("coarse.mp4", OFFSETS[2], VideoMode.AUTO, Fit.LONGEST),
        ("coarse.mp4", OFFSETS[1], VideoMode.AUTO, Fit.AUDIO),
    ],
)
def test_every_camera(
    tmp_path: Path,
    cameras: dict[str, MadeVideo],
    recorders: dict[tuple[str, Fraction], Path],
    name: str,
    offset: Fraction,
    mode: VideoMode,
    fit: Fit,
    ffmpeg: str,
) -> None:
    camera = cameras[name]
    merged = merge(
        tmp_path,
        camera.path,
        recorders["44.wav", offset],
        ffmpeg=ffmpeg,
        offset_s=float(offset),
        video_mode=mode,
        fit=fit,
    )
    start = {Fit.VIDEO: Fraction(0), Fit.AUDIO: offset, Fit.LONGEST: min(offset, Fraction(0))}
    origin = start.get(fit, max(offset, Fraction(0)))
    near = COARSE_S.get(camera.path.suffix, 1 / 90_000 if name == "vfr.mp4" or origin else 0)
    if origin and merged.plan.video is Action.COPY:
        near *= 1.1 if camera.path.suffix == ".mkv" else 9
    assert_ends(merged)
    assert_together(merged, camera, origin=origin, near_s=near)
    assert_shows(merged, camera, origin=origin, within_s=near)


@either_ffmpeg("name", RECORDERS)
def test_every_recorder(
    tmp_path: Path,
    cameras: dict[str, MadeVideo],
    recorders: dict[tuple[str, Fraction], Path],
    name: str,
    ffmpeg: str,
) -> None:
    offset = OFFSETS[list(RECORDERS).index(name) % 3]
    audio = recorders[name, offset]
    # What an encoder leaves before the first sample without saying so stays there.
    shift = click_times(audio)[-1] - float(FLASHES[-1] - offset)
    merged = merge(
        tmp_path, cameras["plain.mp4"].path, audio, ffmpeg=ffmpeg, offset_s=float(offset)
    )
    heard = click_times(merged.path)
    assert heard == pytest.approx([float(flash) + shift for flash in FLASHES], abs=SAMPLE_S)
    assert abs(shift) < SAMPLE_S or audio.suffix == ".aac"


@either_ffmpeg("mode,offset", product([VideoMode.AUTO, VideoMode.ENCODE], OFFSETS))
def test_an_edit_list_that_hides_the_first_frames(
    tmp_path: Path, cameras: dict[str, MadeVideo], offset: Fraction, mode: VideoMode, ffmpeg: str
) -> None:
    """Cut by an editor without encoding, within a group of pictures: the first 12 stay hidden."""
    video = tmp_path / "cut.mp4"
    run_ffmpeg("-ss", "0.5", "-i", cameras["plain.mp4"].path, "-c", "copy", video)
    flashes = flash_times(video)
    audio = make_audio(tmp_path / "a.wav", duration=3, clicks=[flash - offset for flash in flashes])
    merged = merge(
        tmp_path,
        video,
        audio,
        ffmpeg=ffmpeg,
        offset_s=float(offset),
        fit=Fit.AUDIO,
        video_mode=mode,
    )
    true = [float(flash - offset) for flash in flashes if flash >= offset]
    assert_ends(merged)
    assert flash_times(merged.path) == pytest.approx(true, abs=0.0001)
    assert click_times(merged.path) == pytest.approx(true, abs=SAMPLE_S)
    assert shown_frames(merged.path)[0].number == 13 + (18 if offset > 0 else 0)
