"""Edits rendered on this machine, and what came out: colours, flashes, clicks, levels, letters."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from measure import click_times, flash_times, level_db, read_sound, shown_frames, stream_extents
from media_factory import make_audio, make_video, tone
from merging import AUDIO_FRAME, FFMPEGS, both_ffmpegs, merge, track_ends
from numpy.typing import NDArray
from PIL import Image

from avpipe.codecs.lettering import draw_text
from avpipe.errors import DoesNotFitError, InputMissingError, RequestError, WrongMediaError
from avpipe.montage.values import (
    Canvas,
    Clip,
    Crop,
    Fitting,
    Montage,
    Place,
    TextStyle,
    Track,
    TrackKind,
)
from avpipe.plan.request import Fill, Sync
from avpipe.recipe import Quality
from avpipe.render.pace import paced
from avpipe.settings import Settings
from avpipe.updates import Done, Note, Update
from avpipe.workflow_timeline import render_timeline

RATE = Fraction(25)
SIZE = (160, 90)
GREEN, RED, BLUE = (0, 255, 0), (255, 0, 0), (0, 0, 255)
F = Fraction


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("edits")


@pytest.fixture(scope="module")
def sources(folder: Path) -> dict[str, str]:
    """A camera with flashes and clicks each second, colours, tones."""
    files = {name: folder / name for name in ("camera.mp4", "late.mkv", "tone.wav", "low.wav")}
    seconds = range(1, 8)
    make_video(files["camera.mp4"], duration=8, rate=RATE, size=SIZE, flashes=seconds, gop=60)
    make_video(files["late.mkv"], duration=8, rate=RATE, size=SIZE, flashes=seconds, start=3)
    beeps = tone(8 * 48_000, 48_000, 1000) * np.tile(np.arange(48_000) < 9600, 8)
    files["beeps.wav"] = make_audio(folder / "beeps.wav", samples=beeps[None].astype(np.float32))
    make_audio(files["tone.wav"], duration=6, tone_hz=1000, channels=2)
    make_audio(files["low.wav"], duration=6, tone_hz=440, rate=44_100)
    for name, colour in (("green", GREEN), ("red", RED), ("blue", BLUE)):
        files[f"{name}.png"] = folder / f"{name}.png"
        Image.new("RGB", (160, 90), colour).save(files[f"{name}.png"])
    files["square.png"] = folder / "square.png"
    Image.new("RGB", (90, 90), RED).save(files["square.png"])
    frames = [Image.new("RGB", (64, 36), colour) for colour in (RED, BLUE)]
    files["turns.gif"] = folder / "turns.gif"
    frames[0].save(files["turns.gif"], save_all=True, append_images=frames[1:], duration=500)
    return {name: str(path) for name, path in files.items()}


def clip(source: str, start: float, end: float, at: float = 0, **more: Any) -> Clip:
    """`start` to `end` of a source, placed `at` a time."""
    (begin, stop) = (F(str(start)), F(str(end)))
    given = {"name": Path(source).stem, "source": source, "start": F(str(at))}
    return Clip(**given | {"source_in": begin, "source_out": stop} | more)


def title(text: str, start: float, end: float, **style: Any) -> Clip:
    return Clip(
        name=text,
        start=F(str(start)),
        source_out=F(str(end)) - F(str(start)),
        style=TextStyle(**style),
    )


def edit(*clips: Clip, audio: Any = (), texts: Any = (), **canvas: Any) -> Montage:
    tracks = (
        Track(kind=TrackKind.VIDEO, clips=clips),
        Track(kind=TrackKind.AUDIO, clips=tuple(audio)),
        Track(kind=TrackKind.TEXT, clips=tuple(texts)),
    )
    return Montage(tracks=tracks, canvas=Canvas(**canvas))


def render(
    montage: Montage, sources: dict[str, str], output: Path, ffmpeg: str = "wheel"
) -> tuple[Path, tuple[Update, ...]]:
    settings = Settings(state_dir=output.parent / "state", ffmpeg=FFMPEGS[ffmpeg])
    steps = render_timeline(
        montage, sources, str(output), settings, overwrite=True, quality=Quality.HIGH
    )
    updates = tuple(steps)
    assert isinstance(updates[-1], Done)
    assert all(check.ok for check in updates[-1].checks)
    ends = track_ends(output)
    assert set(ends) >= {"video", "audio"}
    assert all(abs(end - montage.duration) <= AUDIO_FRAME for end in ends.values())
    assert all(abs(extent.start) <= 0.0001 for extent in stream_extents(output))
    return output, updates


def frames(path: Path) -> NDArray[np.int16]:
    """(frames, height, width, red green blue), by the colours that the file tells."""
    with av.open(f"file:{path}") as file:
        shown = [
            frame.to_ndarray(format="rgb24", src_colorspace="ITU709", src_color_range="MPEG")
            for frame in file.decode(video=0)
        ]
    return np.array(shown, np.int16)


def is_colour(pixels: NDArray[np.int16], colour: tuple[int, int, int], within: int = 12) -> bool:
    return bool(np.abs(pixels - np.array(colour)).max() <= within)


@both_ffmpegs
def test_cuts_come_frame_by_frame_and_their_sound_with_them(
    folder: Path, sources: dict[str, str], ffmpeg: str
) -> None:
    """Out of order, from two containers, one of which does not begin at 0, found by seeking."""
    montage = edit(
        clip("camera.mp4", 4.6, 6.4, 0),
        clip("late.mkv", 0.6, 2.2, 1.8),
        clip("camera.mp4", 0, 1.2, 3.4),
    )
    (output, _) = render(montage, sources, folder / f"cuts-{ffmpeg}.mp4", ffmpeg)
    wanted = [*range(115, 160), *range(15, 55), *range(30)]
    assert [frame.number for frame in shown_frames(output)] == wanted
    expected = [0.4, 1.4, 2.2, 3.2, 4.4]
    assert [float(time) for time in flash_times(output)] == pytest.approx(expected, abs=0.001)
    assert click_times(output) == pytest.approx(expected, abs=0.0005)


@pytest.mark.parametrize(("source", "sounds_s"), [("camera.mp4", 8), ("late.mkv", 6)])
@both_ffmpegs
def test_outside_of_a_file_its_first_and_last_frame_are_held(
    folder: Path, sources: dict[str, str], ffmpeg: str, source: str, sounds_s: int
) -> None:
    """Its sound is heard in its own time alone; a clip may lie outside altogether."""
    montage = edit(
        clip(source, -1.2, 9, 0), clip(source, -2, -1.4, 10.2), clip(source, 8.5, 9, 10.8)
    )
    (output, _) = render(montage, sources, folder / f"held-{source}-{ffmpeg}.mp4", ffmpeg)
    wanted = [*[0] * 30, *range(200), *[199] * 25, *[0] * 15, *[199] * 12]
    assert [frame.number for frame in shown_frames(output)][: len(wanted)] == wanted
    clicks = [1.2 + second for second in range(1, sounds_s)]
    assert click_times(output) == pytest.approx(clicks, abs=0.001)
    assert level_db(output, 0, 1.15) < -80


@both_ffmpegs
def test_a_speed_moves_pictures_and_sounds_and_keeps_the_pitch(
    folder: Path, sources: dict[str, str], ffmpeg: str
) -> None:
    fast = clip("camera.mp4", 0.5, 6.5, speed=F(2), volume=0.0)
    beeps = clip("beeps.wav", 0.5, 6.5, speed=F(2))
    slow = clip("tone.wav", 1, 2, 3, speed=F(1, 2))
    montage = edit(fast, clip("red.png", 0, 2, 3), audio=[beeps, slow])
    (output, _) = render(montage, sources, folder / f"speed-{ffmpeg}.mp4", ffmpeg)
    numbers = [frame.number for frame in shown_frames(output)[:75]]
    assert numbers[0] in (12, 13)
    assert {after - before for before, after in pairwise(numbers)} == {2}
    for begin in (0.25, 0.75, 1.25, 1.75, 2.25, 2.75):
        assert level_db(output, begin + 0.02, begin + 0.08) > -19
        assert level_db(output, begin - 0.2, begin - 0.03) < -40
        assert pitch_hz(output, begin, begin + 0.1) == pytest.approx(1000, rel=0.01)
    assert pitch_hz(output, 3.3, 4.7) == pytest.approx(1000, rel=0.002)
    assert level_db(output, 3.3, 4.7) == pytest.approx(-15.05, abs=0.5)


def pitch_hz(path: Path, start: float, end: float) -> float:
    sound = read_sound(path)
    part = sound.samples[0, round(start * sound.rate) : round(end * sound.rate)]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 20))
    return float(np.argmax(spectrum) * sound.rate / (1 << 20))


def test_a_clock_is_resampled_and_the_pitch_follows(folder: Path, sources: dict[str, str]) -> None:
    montage = edit(clip("red.png", 0, 4), audio=[clip("tone.wav", 0.5, 4.9, clock=F(11, 10))])
    (output, _) = render(montage, sources, folder / "clock.mp4")
    assert pitch_hz(output, 0.5, 3.5) == pytest.approx(1100, rel=0.0005)


@both_ffmpegs
def test_sounds_are_mixed_at_their_volumes_and_fade(
    folder: Path, sources: dict[str, str], ffmpeg: str
) -> None:
    """Each tone is measured by itself in the sum."""
    montage = edit(
        clip("red.png", 0, 5),
        audio=[
            clip("tone.wav", 0, 3, 1, volume=0.5, fade_in=F(1)),
            clip("low.wav", 0, 1, 4, volume=0.25),
        ],
    )
    montage = replace(
        montage,
        tracks=(
            *montage.tracks,
            Track(kind=TrackKind.AUDIO, clips=(clip("low.wav", 0, 2, 2, fade_out=F(1)),)),
        ),
    )
    (output, _) = render(montage, sources, folder / f"mix-{ffmpeg}.mp4", ffmpeg)
    assert level_db(output, 0, 0.9) < -80
    assert tone_level(output, 1000, 1.45, 1.55) == pytest.approx(0.25 * 0.5 * 0.5, rel=0.03)
    assert tone_level(output, 1000, 2.2, 2.8) == pytest.approx(0.25 * 0.5, rel=0.02)
    assert tone_level(output, 440, 2.2, 2.8) == pytest.approx(0.25, rel=0.02)
    assert tone_level(output, 440, 3.45, 3.55) == pytest.approx(0.25 * 0.5, rel=0.03)
    assert tone_level(output, 440, 4.2, 4.8) == pytest.approx(0.25 * 0.25, rel=0.02)
    assert tone_level(output, 1000, 4.2, 4.8) < 0.001


def tone_level(path: Path, hertz: float, start: float, end: float) -> float:
    """The peak of one tone between two times."""
    sound = read_sound(path)
    part = sound.samples.mean(axis=0)[round(start * sound.rate) : round(end * sound.rate)]
    window = np.hanning(len(part))
    turn = np.exp(-2j * np.pi * hertz * np.arange(len(part)) / sound.rate)
    return float(2 * np.abs(np.sum(part * window * turn)) / window.sum())


@both_ffmpegs
def test_music_is_lowered_while_somebody_speaks(
    folder: Path, sources: dict[str, str], ffmpeg: str
) -> None:
    montage = edit(clip("red.png", 0, 6), audio=[clip("low.wav", 0, 2, 2)])
    music = Track(kind=TrackKind.AUDIO, clips=(clip("tone.wav", 0, 6),), ducked=True)
    montage = replace(montage, tracks=(*montage.tracks, music))
    (output, _) = render(montage, sources, folder / f"duck-{ffmpeg}.mp4", ffmpeg)
    alone = tone_level(output, 1000, 0.5, 1.8)
    assert alone == pytest.approx(0.25, rel=0.02)
    assert tone_level(output, 1000, 2.5, 3.8) < alone / 3
    assert tone_level(output, 440, 2.5, 3.8) == pytest.approx(0.25, rel=0.03)
    assert tone_level(output, 1000, 5.5, 5.9) == pytest.approx(alone, rel=0.05)


@both_ffmpegs
def test_neighbours_that_overlap_are_cross_faded(
    folder: Path, sources: dict[str, str], ffmpeg: str
) -> None:
    montage = edit(clip("green.png", 0, 2), clip("blue.png", 0, 2, 1), width=160, height=90)
    (output, _) = render(montage, sources, folder / f"cross-{ffmpeg}.mp4", ffmpeg)
    shown = frames(output)[:, 45, 80]
    assert len(shown) == 75
    assert is_colour(shown[:25], GREEN)
    assert is_colour(shown[51:], BLUE)
    assert all(one >= other - 2 for one, other in pairwise(shown[:, 1]))
    assert is_colour(shown[37], (0, 128, 128), within=16)


@both_ffmpegs
def test_pictures_lie_over_each_other_at_their_place(
    folder: Path, sources: dict[str, str], ffmpeg: str
) -> None:
    small = clip("blue.png", 0, 1, 1, place=Place(x=0.75, y=0.25, scale=0.25))
    montage = edit(clip("green.png", 0, 3), width=320, height=180)
    montage = replace(
        montage, tracks=(*montage.tracks, Track(kind=TrackKind.VIDEO, clips=(small,)))
    )
    (output, _) = render(montage, sources, folder / f"place-{ffmpeg}.mp4", ffmpeg)
    shown = frames(output)
    inside = shown[:, 30:60, 206:274]
    assert is_colour(inside[:25], GREEN)
    assert is_colour(inside[25:50], BLUE)
    assert is_colour(inside[50:], GREEN)
    outside = shown.copy()[:, :, :196]
    assert is_colour(outside, GREEN)


@both_ffmpegs
@pytest.mark.parametrize("fitting", list(Fitting))
def test_a_picture_of_another_aspect(
    folder: Path, sources: dict[str, str], fitting: Fitting, ffmpeg: str
) -> None:
    montage = edit(
        clip("square.png", 0, 0.4), width=160, height=90, fitting=fitting, background="#00ff00"
    )
    (output, _) = render(montage, sources, folder / f"{fitting}-{ffmpeg}.mp4", ffmpeg)
    shown = frames(output)
    beside = {Fitting.LETTERBOX: GREEN, Fitting.BLUR: RED, Fitting.CROP: RED}[fitting]
    assert is_colour(shown[:, 4:86, 40:120], RED)
    assert is_colour(shown[:, 4:86, :30], beside)
    assert is_colour(shown[:, 4:86, 130:], beside)


def test_a_vertical_canvas_is_made_of_a_wide_video(folder: Path, sources: dict[str, str]) -> None:
    letterbox = edit(clip("camera.mp4", 0, 0.4), aspect=F(9, 16), fitting=Fitting.BLUR)
    cropped = edit(clip("camera.mp4", 0, 0.4), aspect=F(9, 16), fitting=Fitting.CROP)
    for montage, size in ((letterbox, (160, 284)), (cropped, (50, 90))):
        (output, _) = render(montage, sources, folder / f"tall-{size[0]}.mp4")
        assert frames(output).shape[1:3] == (size[1], size[0])


def test_a_part_of_a_picture_is_shown(folder: Path, sources: dict[str, str]) -> None:
    halves = Image.new("RGB", (320, 180), GREEN)
    halves.paste(Image.new("RGB", (160, 180), BLUE), (160, 0))
    halves.save(folder / "halves.png")
    crop = Place(crop=Crop(left=0.5))
    montage = edit(
        clip("halves.png", 0, 0.4, place=crop), width=160, height=90, fitting=Fitting.CROP
    )
    (output, _) = render(montage, {"halves.png": str(folder / "halves.png")}, folder / "part.mp4")
    assert is_colour(frames(output)[:, :, 4:], BLUE)


@both_ffmpegs
def test_an_animation_runs_at_its_pace(folder: Path, sources: dict[str, str], ffmpeg: str) -> None:
    montage = edit(clip("turns.gif", 0, 2.5), width=64, height=36, frame_rate=F(10))
    (output, _) = render(montage, sources, folder / f"turns-{ffmpeg}.mp4", ffmpeg)
    shown = frames(output)[:, 18, 32]
    assert [is_colour(pixel, RED) for pixel in shown] == ([True] * 5 + [False] * 5) * 2 + [True] * 5
    assert is_colour(shown[5:10], BLUE)


@both_ffmpegs
def test_a_title_stands_where_and_when_it_should(
    folder: Path, sources: dict[str, str], ffmpeg: str
) -> None:
    """White on green: only within its place and time, and it fades in over half a second."""
    text = replace(title("HHHH", 1, 3, y=0.25, size=0.2, outline=None), appear=F(1, 2))
    montage = edit(clip("green.png", 0, 4), texts=[text], width=320, height=180)
    (output, _) = render(montage, sources, folder / f"title-{ffmpeg}.mp4", ffmpeg)
    shown = frames(output)
    white = (shown.min(axis=3) > 200).sum(axis=(1, 2))
    assert not white[:26].any()
    assert not white[75:].any()
    assert (white[38:75] > 300).all()
    (rows, columns) = np.nonzero(shown[60].min(axis=2) > 200)
    assert (rows.min() > 20, rows.max() < 70) == (True, True)
    assert abs(rows.mean() - 45) < 8
    assert abs(columns.mean() - 160) < 3
    red = shown[25:38, :, :, 0].max(axis=(1, 2))
    assert all(after > before for before, after in pairwise(red[:12]))
    assert is_colour(shown[60, 100:], GREEN)


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("a rather long line that has to be broken again and again to fit", {"y": 0.88}),
        ("Rindfleischetikettierungsüberwachung", {}),
        ("corner", {"x": 0.02, "y": 0.02}),
    ],
)
def test_a_text_lies_on_a_narrow_canvas_as_a_whole(
    folder: Path, text: str, style: dict[str, float]
) -> None:
    canvas = (480, 854)
    target = str(folder / "narrow.png")
    drawn = draw_text(text, TextStyle(size=0.1, **style), canvas, target)
    with Image.open(target) as picture:
        (left, top, right, bottom) = picture.getchannel("A").getbbox() or (0, 0, 0, 0)
        assert 0 < left < right < picture.width  # nothing of a letter is cut
        assert 0 < top < bottom < picture.height
        assert 0 <= drawn.x <= canvas[0] - picture.width
        assert 0 <= drawn.y <= canvas[1] - picture.height


def test_a_text_has_the_colour_that_was_asked_for(folder: Path, sources: dict[str, str]) -> None:
    style = {"colour": "#ff0000", "outline": None, "box": "#0000ff", "size": 0.3}
    montage = edit(
        clip("green.png", 0, 0.4), texts=[title("III", 0, 0.4, **style)], width=320, height=180
    )
    (output, _) = render(montage, sources, folder / "colour.mp4")
    shown = frames(output)[5].astype(int)
    distances = {c: np.abs(shown - np.array(c)).max(axis=2) < 30 for c in (RED, BLUE, GREEN)}
    assert all(found.sum() > 200 for found in distances.values())
    assert distances[BLUE].sum() > distances[RED].sum()


@pytest.mark.needs("fc-match")
def test_chinese_is_drawn_with_a_font_of_the_system(folder: Path, sources: dict[str, str]) -> None:
    """Two characters that differ look different: neither is a box."""
    drawn = []
    for text in ("城市", "梦想"):
        montage = edit(
            clip("green.png", 0, 0.2), texts=[title(text, 0, 0.2, size=0.4)], width=320, height=180
        )
        (output, updates) = render(montage, sources, folder / "han.mp4")
        if any(isinstance(update, Note) for update in updates):
            pytest.skip("no font with Chinese characters is installed (fonts-noto-cjk)")
        drawn.append(frames(output)[2].min(axis=2) > 200)
    assert all(picture.sum() > 800 for picture in drawn)
    assert (drawn[0] != drawn[1]).sum() > 400


def test_a_glyph_that_no_font_has_is_told_and_not_drawn(
    folder: Path, sources: dict[str, str]
) -> None:
    """U+10FFFD is for private use: no font draws it."""
    shown = []
    for text in ("AB", "A\U0010fffdB"):
        montage = edit(
            clip("green.png", 0, 0.2), texts=[title(text, 0, 0.2, size=0.3)], width=320, height=180
        )
        (output, updates) = render(montage, sources, folder / "glyph.mp4")
        shown.append(frames(output)[2])
    (note,) = [update for update in updates if isinstance(update, Note)]
    assert note.code == "missing_glyph"
    assert "U+10FFFD" in note.message
    assert np.array_equal(*shown)


def test_an_edit_that_is_a_merge_is_made_as_one(folder: Path, sources: dict[str, str]) -> None:
    """The same bytes: the video is copied."""
    whole = clip("camera.mp4", 0, 8, volume=0.0)
    montage = edit(whole, audio=[clip("tone.wav", 0, 6, 1.25)])
    (output, updates) = render(montage, sources, folder / "plain.mp4")
    assert (updates[-1].video, updates[-1].audio) == ("copy", "encode")
    (folder / "merge").mkdir()
    merged = merge(
        folder / "merge",
        Path(sources["camera.mp4"]),
        Path(sources["tone.wav"]),
        sync=Sync.NONE,
        offset_s=1.25,
        fill=Fill.SILENCE,
    )
    assert output.read_bytes() == merged.path.read_bytes()


def test_the_pace_of_a_render_is_not_that_of_a_last_figure_that_is_none() -> None:
    """ffmpeg's last one may be billions of seconds."""
    told = list(paced("video", 4, iter([2.0, 9e12])))
    assert [update.done for update in told] == [0, 0.5, 1, 1]
    assert told[-2].speed < 2 * told[-3].speed + 0.1


def test_what_cannot_be_rendered_is_refused_before_anything_is_made(
    folder: Path, sources: dict[str, str]
) -> None:
    camera = clip("camera.mp4", 0, 2)
    wrong: list[tuple[Montage, type[Exception], str]] = [
        (edit(replace(camera, speed=F(1000))), RequestError, "speed"),
        (edit(clip("nowhere.mp4", 0, 2)), InputMissingError, "not among the files"),
        (edit(clip("tone.wav", 0, 2)), WrongMediaError, "no picture"),
        (edit(camera, audio=[clip("red.png", 0, 2)]), WrongMediaError, "no sound"),
        (edit(camera, texts=[title("A", 0, 1, font="/nowhere/x.ttf")]), RequestError, "x.ttf"),
    ]
    output = folder / "refused.mp4"
    for montage, error, words in wrong:
        with pytest.raises(error, match=words):
            list(render_timeline(montage, sources, str(output), Settings(state_dir=folder)))
        assert not output.exists()
        assert not list(folder.glob(".avpipe-*"))


def test_an_edit_is_held_under_a_size(sources: dict[str, str], tmp_path: Path) -> None:
    """What it is made of is rendered whole first; too small a size is an error that says so."""
    noise = make_audio(tmp_path / "noise.wav", duration=2, noise=0.1)
    sources = sources | {"noise.wav": str(noise)}
    whole = edit(
        clip("camera.mp4", 0, 2), audio=(clip("noise.wav", 0, 2),), texts=(title("T", 0, 1),)
    )
    (full, _) = render(whole, sources, tmp_path / "full.mp4")
    limit = full.stat().st_size * 6 // 10
    (small, updates) = render(replace(whole, max_bytes=limit), sources, tmp_path / "small.mp4")
    assert limit * 0.6 < small.stat().st_size <= limit
    assert flash_times(small) == pytest.approx([1], abs=0.001)
    assert "max_size" in [update.code for update in updates if isinstance(update, Note)]
    assert {path.suffix for path in tmp_path.iterdir() if path.is_file()} == {".mp4", ".wav"}
    assert not list(tmp_path.glob(".avpipe-*"))
    with pytest.raises(DoesNotFitError):
        render(replace(whole, max_bytes=1000), sources, tmp_path / "tiny.mp4")
    assert not (tmp_path / "tiny.mp4").exists()
