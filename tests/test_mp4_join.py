"""A copied MP4 that is put together without ffmpeg holds what ffmpeg's own would, to the tick."""

from __future__ import annotations

import errno
import random
from fractions import Fraction
from io import FileIO
from pathlib import Path
from typing import Any

import av
import pytest
from measure import click_times, flash_times
from media_factory import add_subtitles, ffmpeg, make_audio, make_video
from merging import Merged, assert_ends, assert_shows, merge, payloads

from avpipe.codecs import mp4_join
from avpipe.codecs.mp4_boxes import BoxError, boxes_in, boxes_of, full_box
from avpipe.codecs.mp4_join import Join, join_of, write_join
from avpipe.codecs.mp4_track import read_movie, read_track
from avpipe.errors import DiskFullError, RenderError
from avpipe.plan.request import AudioMode, Fit
from avpipe.render import local

STILL_FOR_LONG = (0, Fraction(1, 10), Fraction(1, 4), Fraction(2, 5), Fraction(17, 10))
PLAIN: dict[str, dict[str, Any]] = {
    "frames in order": {"b_frames": 0},
    "reordered frames": {"b_frames": 3},
    "23.976 frames": {"rate": Fraction(24000, 1001)},
    "a variable rate": {"times": STILL_FOR_LONG, "flashes": ()},
    "a picture that begins late": {"start": Fraction(1, 2), "audio_start": 0},
    "no edit list": {"options": {"use_editlist": "0"}},
    "shifts below zero": {"options": {"movflags": "negative_cts_offsets"}},
    "a turned picture": {"rotation": 90, "size": (160, 90)},
    "wide pixels": {"sar": Fraction(4, 3)},
    "no sound": {"audio": None},
    "two tracks of sound": {"audio": ["tone", "noise"]},
    "an index at the front": {"options": {"movflags": "faststart"}},
    "tags": {"metadata": {"title": "Tëst", "artist": "A", "creation_time": "2024-05-06T07:08:09Z"}},
    "a place": {"metadata": {"location": "+48.8577+002.295/"}},
}
COLOURS = ("color_primaries", "color_trc", "colorspace", "color_range")
JOINS: list[Join | None] = []


@pytest.fixture(autouse=True)
def joins(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the merges of a test decided."""
    JOINS.clear()
    decide = local.join_of

    def noted(*arguments: Any) -> Join | None:
        JOINS.append(decide(*arguments))
        return JOINS[-1]

    monkeypatch.setattr(local, "join_of", noted)


def merged_twice(folder: Path, video: Path, audio: Path, **wanted: Any) -> tuple[Merged, Merged]:
    """The same merge without ffmpeg and with it."""
    made = []
    for name in ("joined", "muxed"):
        (folder / name).mkdir()
        with pytest.MonkeyPatch.context() as patch:
            if name == "muxed":
                patch.setattr(local, "join_of", lambda *_: None)
            made.append(merge(folder / name, video, audio, **wanted))
    return made[0], made[1]


def facts(path: Path) -> dict[str, Any]:
    """What a player is told, and the times of every packet."""
    with av.open(str(path)) as file:
        found: dict[str, Any] = {
            "tags": {k: v for k, v in file.metadata.items() if k not in ("encoder", "date")}
        }
        for stream in file.streams:
            context: Any = stream.codec_context
            assert stream.time_base is not None
            found[f"{stream.index} {stream.type}"] = {
                "codec": (context.name, context.extradata),
                "size": (getattr(context, "width", None), getattr(context, "height", None)),
                "shape": getattr(stream, "sample_aspect_ratio", None),
                "colours": [getattr(context, name, None) for name in COLOURS],
                "sound": [getattr(context, name, None) for name in ("sample_rate", "channels")],
                "extent": [
                    (ticks or 0) * stream.time_base
                    for ticks in (stream.start_time, stream.duration)
                ],
            }
        for stream in file.streams:
            file.seek(0)
            found[f"{stream.index} packets"] = [
                (float(p.pts * p.time_base), float(p.dts * p.time_base), p.is_keyframe)
                for p in file.demux(stream)
                if p.size
            ]
        file.seek(0)
        (first, *_) = file.decode(video=0)
        found["turned"] = first.rotation
    return found


def assert_alike(joined: Merged, muxed: Merged) -> None:
    (one, other) = (facts(joined.path), facts(muxed.path))
    for name in one.keys() | other.keys():
        if name.endswith("packets"):
            assert len(one[name]) == len(other[name]), name
            for (pts, dts, key), (pts2, dts2, key2) in zip(one[name], other[name], strict=True):
                assert abs(pts - pts2) < 0.0002, name
                assert abs(dts - dts2) < 0.0002, name
                assert key == key2
        elif name.endswith(("video", "audio")):
            ends = [found[name].pop("extent") for found in (one, other)]
            for edges in zip(*ends, strict=True):
                assert abs(edges[0] - edges[1]) < 0.0002, name
            assert one[name] == other[name], name
        else:
            assert one[name] == other[name], name
    for kind in ("video", "audio"):
        assert payloads(joined.path, kind) == payloads(muxed.path, kind)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clicks = (Fraction(1, 2), Fraction(3, 2))
    return make_audio(tmp_path_factory.mktemp("sound") / "sound.m4a", duration=6, clicks=clicks)


@pytest.mark.parametrize("case", PLAIN)
def test_it_is_what_ffmpeg_makes(case: str, tmp_path: Path, sound: Path) -> None:
    made = make_video(tmp_path / "camera.mp4", **({"gop": 12} | PLAIN[case]))
    (joined, muxed) = merged_twice(tmp_path, made.path, sound)
    assert JOINS[0] is not None
    assert_alike(joined, muxed)
    assert_ends(joined)
    assert_shows(joined, made, within_s=0.0002)
    if flashes := flash_times(joined.path):
        heard = click_times(joined.path)
        assert [float(time) for time in flashes] == pytest.approx(list(made.flash_times), abs=1e-3)
        assert heard == pytest.approx([0.5, 1.5], abs=1e-4)


def test_quicktime_is_brought_to_mp4(tmp_path: Path, sound: Path) -> None:
    made = make_video(tmp_path / "camera.mov", audio_codec="pcm_s16le")
    (joined, muxed) = merged_twice(tmp_path, made.path, sound)
    assert JOINS[0] is not None
    assert_alike(joined, muxed)
    assert b"nclc" not in joined.path.read_bytes()


@pytest.mark.parametrize("mode", [AudioMode.REPLACE, AudioMode.ADD])
def test_encoded_sound_in_one_track_or_two(mode: AudioMode, tmp_path: Path) -> None:
    made = make_video(tmp_path / "camera.mp4", duration=3)
    wave = make_audio(tmp_path / "sound.wav", duration=5, clicks=(Fraction(1, 2), Fraction(3, 2)))
    (joined, muxed) = merged_twice(tmp_path, made.path, wave, audio_mode=mode)
    assert JOINS[0] is not None
    assert_alike(joined, muxed)
    assert_ends(joined)
    recorder = int(mode is AudioMode.ADD)
    assert click_times(joined.path, recorder) == pytest.approx([0.5, 1.5], abs=1e-4)
    with av.open(str(joined.path)) as file:  # QuickTime plays all that are enabled at once
        assert [stream.disposition & 1 for stream in file.streams] == [1, 1, 0][: len(file.streams)]


def test_what_is_not_plain_is_left_to_ffmpeg(tmp_path: Path, sound: Path) -> None:
    plain = make_video(tmp_path / "plain.mp4", duration=3, gop=90).path
    parts = make_video(tmp_path / "parts.mp4", options={"movflags": "frag_keyframe"}).path
    words = add_subtitles(plain, tmp_path / "words.mp4", [(0.5, 1.0, "word")])
    hidden = tmp_path / "hidden.mp4"  # begins between key frames: the edit list hides some
    ffmpeg("-ss", "1", "-i", plain, "-c", "copy", hidden)
    adts = tmp_path / "sound.aac"
    ffmpeg("-i", sound, "-c", "copy", adts)
    cases: list[tuple[Path, Path, dict[str, Any]]] = [
        (parts, sound, {}),
        (words, sound, {}),
        (hidden, sound, {}),
        (plain, adts, {}),
        (plain, sound, {"fit": Fit.LONGEST}),
        (plain, sound, {"offset_s": 0.5, "fit": Fit.LONGEST}),
    ]
    for video, audio, wanted in cases:
        assert_ends(merge(tmp_path, video, audio, **wanted))
        assert JOINS.pop() is None, (video.name, audio.name, wanted)


def test_a_file_of_more_than_four_gigabytes(tmp_path: Path, sound: Path) -> None:
    """Places beyond 32 bits: a camera whose second half lies behind a hole of 4 GiB."""
    made = make_video(tmp_path / "camera.mp4", options={"movflags": "faststart"})
    far = behind_a_hole(made.path, tmp_path / "far.mp4", 4 << 30)
    (joined, muxed) = merged_twice(tmp_path, far, sound)
    assert JOINS[0] is not None
    assert_alike(joined, muxed)


def behind_a_hole(path: Path, target: Path, hole: int) -> Path:
    """The same file with a free box before its media, and 64-bit places."""
    content = path.read_bytes()
    ((start, end),) = [
        (box.start - 8, box.end)
        for box in _boxes(path)
        if box.kind == b"moov"
    ]  # fmt: skip
    moov = memoryview(content)[start + 8 : end]
    widened = _widened(moov, 0)
    shift = len(widened) - (end - start) + hole
    with target.open("wb") as file:
        file.write(content[:start] + _widened(moov, shift))
        file.write((1).to_bytes(4) + b"free" + hole.to_bytes(8))
        file.seek(hole - 16, 1)
        file.write(content[end:])
    return target


def _boxes(path: Path) -> list[Any]:
    with path.open("rb") as file:
        return list(boxes_of(file, 0, path.stat().st_size))


def _widened(moov: memoryview, shift: int) -> bytes:
    """The index with the table of places in 64 bits, and every place moved."""

    def inner(content: memoryview) -> bytes:
        found = b""
        for kind, value in boxes_in(content):
            if kind in (b"trak", b"mdia", b"minf", b"stbl"):
                body = inner(value)
                found += (8 + len(body)).to_bytes(4) + kind + body
            elif kind == b"stco":
                places = [int.from_bytes(value[at : at + 4]) for at in range(8, len(value), 4)]
                rows = b"".join((place + shift).to_bytes(8) for place in places)
                found += full_box(b"co64", bytes(value[4:8]), rows)
            else:
                found += (8 + len(value)).to_bytes(4) + kind + bytes(value)
        return found

    body = inner(moov)
    return (8 + len(body)).to_bytes(4) + b"moov" + body


def test_any_damage_to_an_index_is_left_to_ffmpeg(tmp_path: Path) -> None:
    """No byte of an index makes the reading fail in another way than being told."""
    path = make_video(tmp_path / "camera.mp4", frames=12, options={"movflags": "faststart"}).path
    content = path.read_bytes()
    end = content.index(b"mdat")
    damaged = tmp_path / "damaged.mp4"
    chance = random.Random(5)
    told = 0
    for _ in range(600):
        wrong = bytearray(content)
        for _ in range(chance.choice((1, 1, 4))):
            wrong[chance.randrange(end)] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
        damaged.write_bytes(wrong)
        try:
            movie = read_movie(str(damaged))
            for number in range(len(movie.tracks)):
                track = read_track(movie, number)
                assert track.shown_until >= track.shown_from
        except BoxError:
            told += 1
    assert 50 < told < 600


def test_an_input_that_ends_too_soon_is_told(tmp_path: Path, sound: Path) -> None:
    made = make_video(tmp_path / "camera.mp4", options={"movflags": "faststart"})
    merged = merge(tmp_path, made.path, sound)
    join = join_of(merged.plan.recipe, ())
    assert join is not None
    made.path.write_bytes(made.path.read_bytes()[:-2000])
    with pytest.raises(RenderError, match="ends sooner than its index says"):
        list(write_join(join, str(tmp_path / "short.mp4")))


def test_an_input_that_cannot_be_read_is_told_as_such(tmp_path: Path) -> None:
    """As of a card that fails: not the output's fault."""
    made = make_video(tmp_path / "camera.mp4")

    class Failing(FileIO):
        def readinto(self, buffer: Any) -> int:
            raise OSError(errno.EIO, "Input/output error")

    with made.path.open("rb") as whole, Failing(whole.fileno(), closefd=False) as source:
        sink = mp4_join._Sink(source)
        with pytest.raises(RenderError, match=r"cannot read .*: Input/output error"):
            sink.take(source, 0, 10)


def test_a_full_disk_is_told(tmp_path: Path, sound: Path) -> None:
    made = make_video(tmp_path / "camera.mp4")
    join = join_of(merge(tmp_path, made.path, sound).plan.recipe, ())
    assert join is not None
    with pytest.raises(DiskFullError):
        list(write_join(join, "/dev/full"))


def test_neighbours_lie_near_each_other(tmp_path: Path, sound: Path) -> None:
    """A player that reads on from any place finds the other track within a second."""
    made = make_video(tmp_path / "camera.mp4", duration=6)
    merged = merge(tmp_path, made.path, sound)
    with av.open(str(merged.path)) as file:
        found = [
            (p.pos, p.stream_index, float(p.dts * p.time_base)) for p in file.demux() if p.size
        ]
    last = {0: 0.0, 1: 0.0}
    for _, stream, dts in sorted(found):
        last[stream] = dts
        assert abs(last[0] - last[1]) <= 1.1
