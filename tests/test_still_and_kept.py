"""Pictures as the video, and what an output keeps beside picture and sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from measure import frame_gray, shown_frames
from media_factory import add_subtitles, make_audio, make_video
from media_factory import ffmpeg as run_ffmpeg
from merging import assert_ends, both_ffmpegs, either_ffmpeg, merge
from PIL import Image
from test_picture import CORNERS, assert_standard, quarters, rgb

from avpipe.plan.request import Fit

LENGTHS = (40, 120, 200)
"""Of the frames of an animation, in milliseconds."""
KEPT = ("-map", "0:v", "-map", "0:a", "-map", "0:s")
CREATED = "2024-05-06T07:08:09.000000Z"
CUES = [(0.2, 0.6, "one"), (0.9, 1.4, "two"), (1.6, 1.9, "three")]


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "sound.wav"
    return make_audio(path, duration=Fraction("1.51"), tone_hz=440.0)


@either_ffmpeg("suffix", ["jpg", "png", "webp"])
def test_a_still_lasts_as_long_as_the_audio(
    tmp_path: Path, sound: Path, suffix: str, ffmpeg: str
) -> None:
    """EXIF says that the camera was held on its side: the picture is turned upright."""
    picture = tmp_path / f"still.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned 90 degrees clockwise
    image = Image.fromarray(CORNERS.astype(np.uint8)).resize((161, 97), Image.Resampling.NEAREST)
    options = {"quality": 95} if suffix != "png" else {}
    image.save(picture, exif=exif, **options)
    merged = merge(tmp_path, picture, sound, ffmpeg=ffmpeg)
    assert merged.duration == Fraction("1.51")
    assert_ends(merged)
    assert_standard(merged.path, (96, 160))
    assert np.abs(quarters(rgb(merged.path)) - np.rot90(CORNERS, -1)).max() <= 6


@both_ffmpegs
@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_an_animation_is_repeated_in_its_own_time(
    tmp_path: Path, sound: Path, suffix: str, ffmpeg: str
) -> None:
    picture = tmp_path / f"animation.{suffix}"
    levels = (20, 120, 220)
    images = [Image.new("RGB", (96, 64), (level,) * 3) for level in levels]
    options = {"lossless": True} if suffix == "webp" else {}
    images[0].save(
        picture, save_all=True, append_images=images[1:], duration=LENGTHS, loop=0, **options
    )
    merged = merge(tmp_path, picture, sound, ffmpeg=ffmpeg)
    assert_ends(merged)
    assert_standard(merged.path, (96, 64))
    round_s = sum(LENGTHS) / 1000
    starts = [0.0, 0.04, 0.16, round_s, round_s + 0.04, round_s + 0.16, 2 * round_s]
    found = [float(frame.time) for frame in shown_frames(merged.path)]
    assert found[:7] == pytest.approx(starts, abs=0.0001)
    for start, level in zip(starts[:6], levels * 2, strict=True):
        assert int(frame_gray(merged.path, start + 0.001)[32, 48]) == pytest.approx(level, abs=3)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    made = make_video(
        folder / "plain.mp4",
        size=(160, 90),
        rate=25,
        metadata={"title": "A day"},
        chapters=[(0, Fraction(4, 5), "first"), (Fraction(4, 5), 2, "second")],
    )
    add_subtitles(made.path, folder / "text.mp4", CUES)
    made_at = ("-metadata", f"creation_time={CREATED}")
    run_ffmpeg("-i", folder / "text.mp4", *KEPT, "-c", "copy", *made_at, folder / "film.mp4")
    return folder / "film.mp4"


def subtitles(path: Path) -> list[tuple[float, float, str]]:
    """When which text is shown; empty packets end the one before."""
    with av.open(str(path)) as file:
        found = []
        for packet in file.demux(subtitles=0):
            text = bytes(packet)[2:].decode()
            if packet.pts is not None and packet.time_base and text:
                start = float(packet.pts * packet.time_base)
                found.append(
                    (start, start + float((packet.duration or 0) * packet.time_base), text)
                )
    return found


def chapters(path: Path) -> list[tuple[float, float, str]]:
    with av.open(str(path)) as file:
        return [
            (
                float(chapter["start"] * chapter["time_base"]),
                float(chapter["end"] * chapter["time_base"]),
                chapter["metadata"]["title"],
            )
            for chapter in file.chapters()
        ]


@both_ffmpegs
@pytest.mark.parametrize(
    ("offset", "fit", "texts", "chaptered"),
    [
        (0.0, Fit.VIDEO, CUES, [(0, 0.8), (0.8, 2)]),
        # What begins before the cut is not shown; a chapter that does is shorter.
        (0.7, Fit.AUDIO, [(0.2, 0.7, "two"), (0.9, 1.2, "three")], [(0, 0.1), (0.1, 1.1)]),
        # The first chapter of an MP4 begins at 0.
        (
            -0.75,
            Fit.LONGEST,
            [(0.95, 1.35, "one"), (1.65, 2.15, "two"), (2.35, 2.65, "three")],
            [(0, 1.55), (1.55, 2.75)],
        ),
    ],
)
def test_subtitles_chapters_and_tags_are_kept(
    tmp_path: Path,
    film: Path,
    offset: float,
    fit: Fit,
    texts: list[tuple[float, float, str]],
    chaptered: list[tuple[float, float]],
    ffmpeg: str,
) -> None:
    audio = make_audio(tmp_path / "a.wav", duration=Fraction("1.1"), tone_hz=440.0)
    merged = merge(tmp_path, film, audio, ffmpeg=ffmpeg, offset_s=offset, fit=fit)
    assert_ends(merged)
    found = subtitles(merged.path)
    assert [text for *_, text in found] == [text for *_, text in texts]
    for (*times, _), (*wanted, _) in zip(found, texts, strict=True):
        assert times == pytest.approx(wanted, abs=0.002)
    for (*times, _), wanted in zip(chapters(merged.path), chaptered, strict=True):
        assert times == pytest.approx(wanted, abs=0.002)
    with av.open(str(merged.path)) as file:
        assert file.metadata["title"] == "A day"
        assert file.metadata["creation_time"] == CREATED


@both_ffmpegs
def test_subtitles_of_matroska_and_languages(tmp_path: Path, film: Path, ffmpeg: str) -> None:
    video = tmp_path / "film.mkv"
    tags = ("-metadata:s:s:0", "language=fra", "-metadata:s:v:0", "language=deu")
    run_ffmpeg("-i", film, *KEPT, "-c", "copy", "-c:s", "srt", *tags, video)
    audio = tmp_path / "a.m4a"
    run_ffmpeg("-i", film, "-map", "0:a", "-c", "copy", "-metadata:s:a:0", "language=ita", audio)
    merged = merge(tmp_path, video, audio, ffmpeg=ffmpeg)
    assert subtitles(merged.path) == [
        (pytest.approx(a, abs=0.002), pytest.approx(b, abs=0.002), text) for a, b, text in CUES
    ]
    with av.open(str(merged.path)) as file:
        assert file.streams.subtitles[0].codec_context.name == "mov_text"
        assert file.streams.subtitles[0].metadata["language"] == "fra"
        assert file.streams.video[0].metadata["language"] == "deu"
        assert file.streams.audio[0].metadata["language"] == "ita"
