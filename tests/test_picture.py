"""What is seen: size, shape, rotation and colours of an encode; a copy that is bit-identical."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_factory import ffmpeg as run_ffmpeg
from media_factory import make_audio, make_video
from merging import assert_ends, assert_shows, both_ffmpegs, either_ffmpeg, merge, payloads
from numpy.typing import NDArray
from PIL import Image

from avpipe.errors import RequestError
from avpipe.plan.request import VideoMode
from avpipe.recipe import Action, Frame

Rgb = NDArray[np.int_]

CORNERS = np.array([[(200, 40, 40), (40, 180, 60)], [(50, 60, 200), (230, 230, 230)]])
"""The colours of the four quarters of a picture: red and green over blue and white."""
SCALED = "scale=out_color_matrix={0}:out_range={1},format={2},setparams=colorspace={3}:range={4}"
"""Filters that make YUV of RGB: matrix, range and pixel format, then both as they are tagged."""
PQ_NITS = (0, 26, 203, 1000)


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("second") / "second.wav"
    return make_audio(path, duration=Fraction(2, 5), tone_hz=440.0)


def draw(
    path: Path, *, size: tuple[int, int] = (160, 96), filters: str = "", options: str = ""
) -> Path:
    """A video of 0.4 s that shows `CORNERS`."""
    image = Image.fromarray(CORNERS.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
    picture = path.with_suffix(".png")
    image.save(picture)
    steps = filters or SCALED.format("bt709", "tv", "yuv420p", "bt709", "tv")
    words = (options or "-c:v libx264 -preset ultrafast -crf 6").split()
    source = ("-loop", "1", "-framerate", "25", "-t", "0.4", "-i", picture)
    run_ffmpeg(*source, "-vf", steps, *words, path)
    return path


def turned(path: Path, degrees: int) -> Path:
    """A copy of a video that a player turns clockwise."""
    target = path.with_name(f"{degrees}-{path.name}")
    run_ffmpeg("-display_rotation", str(-degrees), "-i", path, "-c", "copy", target)
    return target


def rgb(path: Path) -> Rgb:
    """(height, width, 3) of the first frame, taken for limited BT.709, as players do."""
    with av.open(str(path)) as file:
        frame = next(file.decode(video=0))
        planes = frame.reformat(format="yuv444p", src_color_range=1, dst_color_range=1)
    (y, u, v) = (planes.to_ndarray()[index].astype(float) for index in range(3))
    (y, u, v) = ((y - 16) / 219, (u - 128) / 224, (v - 128) / 224)
    red, blue = y + 1.5748 * v, y + 1.8556 * u
    green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
    return np.round(np.stack([red, green, blue], axis=-1).clip(0, 1) * 255).astype(int)


def quarters(picture: Rgb) -> Rgb:
    """(2, 2, 3) the colours in the middle of the four quarters."""
    (height, width) = picture.shape[:2]
    rows, columns = (height // 4, height * 3 // 4), (width // 4, width * 3 // 4)
    return np.array([[picture[y, x] for x in columns] for y in rows])


def facts(path: Path) -> dict[str, Any]:
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        frame = next(file.decode(stream))
        return {
            "codec": stream.codec_context.name,
            "profile": stream.profile,
            "format": stream.pix_fmt,
            "size": (stream.width, stream.height),
            "sar": stream.sample_aspect_ratio or Fraction(1),
            "rotation": frame.rotation % 360,
            "interlaced": frame.interlaced_frame,
            "colour": (
                int(frame.color_primaries),
                int(frame.color_trc),
                int(frame.colorspace),
                int(frame.color_range),
            ),
        }


def assert_standard(path: Path, size: tuple[int, int]) -> None:
    assert facts(path) == {
        "codec": "h264",
        "profile": "High",
        "format": "yuv420p",
        "size": size,
        "sar": 1,
        "rotation": 0,
        "interlaced": False,
        "colour": (1, 1, 1, 1),
    }
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


SOURCES: dict[str, dict[str, str]] = {
    "bt601": {"filters": SCALED.format("bt601", "tv", "yuv420p", "smpte170m", "tv")},
    "untagged-sd": {"filters": "scale=out_color_matrix=bt601:out_range=tv,format=yuv420p"},
    "full-range": {"filters": SCALED.format("bt601", "pc", "yuvj420p", "smpte170m", "pc")},
    "full-709": {"filters": SCALED.format("bt709", "pc", "yuv420p", "bt709", "pc")},
    "10-bit": {"filters": SCALED.format("bt709", "tv", "yuv420p10le", "bt709", "tv")},
    "4:4:4": {"filters": SCALED.format("bt709", "tv", "yuv444p", "bt709", "tv")},
    "bt470bg": {"filters": SCALED.format("bt601", "tv", "yuv420p", "bt470bg", "tv")},
    "bt2020-sdr": {"filters": SCALED.format("bt2020", "tv", "yuv420p", "bt2020nc", "tv")},
    "rgb": {"filters": "format=rgb24", "options": "-c:v png"},
    "mjpeg": {
        "filters": SCALED.format("bt601", "pc", "yuvj422p", "smpte170m", "pc"),
        "options": "-c:v mjpeg -q:v 1",
    },
}


@either_ffmpeg("name", SOURCES)
def test_colours_come_out_right(tmp_path: Path, second: Path, name: str, ffmpeg: str) -> None:
    video = draw(tmp_path / "v.mov", **SOURCES[name])
    merged = merge(tmp_path, video, second, ffmpeg=ffmpeg, video_mode=VideoMode.ENCODE)
    assert_standard(merged.path, (160, 96))
    assert np.abs(quarters(rgb(merged.path)) - CORNERS).max() <= 4


@either_ffmpeg("degrees", [90, 180, 270])
def test_rotation_is_baked_in_or_kept(
    tmp_path: Path, second: Path, degrees: int, ffmpeg: str
) -> None:
    video = turned(draw(tmp_path / "v.mp4"), degrees)
    merged = merge(tmp_path, video, second, ffmpeg=ffmpeg, video_mode=VideoMode.ENCODE)
    size = (160, 96) if degrees == 180 else (96, 160)
    assert_standard(merged.path, size)
    upright = np.rot90(CORNERS, -degrees // 90)
    assert np.abs(quarters(rgb(merged.path)) - upright).max() <= 4

    merged = merge(tmp_path, video, second, ffmpeg=ffmpeg)
    assert merged.plan.video is Action.COPY
    assert facts(merged.path)["rotation"] == facts(video)["rotation"] != 0
    assert (merged.plan.output.width, merged.plan.output.height) == size


@either_ffmpeg(
    "source,wanted,size",
    [
        ({"size": (161, 97), "filters": "format=yuv444p"}, {}, (160, 96)),
        ({"size": (144, 96), "filters": "format=yuv420p,setsar=4/3"}, {}, (192, 96)),
        ({"size": (144, 96), "filters": "format=yuv420p,setsar=8/9"}, {}, (144, 108)),
        ({"size": (160, 96)}, {"resolution": "80x60"}, (80, 48)),
        ({"size": (96, 160)}, {"resolution": "80x60"}, (48, 80)),
        ({"size": (160, 96)}, {"resolution": "640x480"}, (160, 96)),
        ({"size": (160, 96)}, {"resolution": "source"}, (160, 96)),
    ],
)
def test_sizes(
    tmp_path: Path,
    second: Path,
    source: dict[str, Any],
    wanted: dict[str, str],
    size: tuple[int, int],
    ffmpeg: str,
) -> None:
    video = draw(tmp_path / "v.mp4", **source)
    merged = merge(tmp_path, video, second, ffmpeg=ffmpeg, video_mode=VideoMode.ENCODE, **wanted)
    assert_standard(merged.path, size)
    assert (merged.plan.output.width, merged.plan.output.height) == size


@pytest.mark.parametrize(
    ("size", "bound"), [((2560, 1440), (1920, 1080)), ((1440, 2560), (1080, 1920))]
)
def test_large_pictures_are_scaled_down(
    tmp_path: Path, second: Path, size: tuple[int, int], bound: tuple[int, int]
) -> None:
    merged = merge(tmp_path, draw(tmp_path / "v.mp4", size=size), second, quality="draft")
    assert "encode_size" in merged.codes
    assert_standard(merged.path, bound)


@either_ffmpeg(
    "aspect,frame,size,picture",
    [
        ("1:1", Frame.FIT, (160, 160), (slice(32, 128), slice(0, 160))),
        ("1:1", Frame.FILL, (96, 96), None),
        ("9:16", Frame.FIT, (160, 284), (slice(94, 190), slice(0, 160))),
        ("9:16", Frame.FILL, (54, 96), None),
        ("16:9", Frame.FIT, (170, 96), (slice(0, 96), slice(6, 164))),
    ],
)
def test_frames(
    tmp_path: Path,
    second: Path,
    aspect: str,
    frame: Frame,
    size: tuple[int, int],
    picture: tuple[slice, slice] | None,
    ffmpeg: str,
) -> None:
    video = draw(tmp_path / "v.mp4")
    merged = merge(tmp_path, video, second, ffmpeg=ffmpeg, aspect=aspect, frame=frame)
    assert_standard(merged.path, size)
    seen = rgb(merged.path)
    if picture is not None:
        border = np.ones(seen.shape[:2], bool)
        (rows, columns) = picture
        border[
            max(rows.start - 4, 0) : rows.stop + 4, max(columns.start - 4, 0) : columns.stop + 4
        ] = False
        assert seen[border].max(initial=0) <= 3
        seen = seen[picture]
    assert np.abs(quarters(seen) - CORNERS).max() <= 4


def steps(path: Path, transfer: str, codes: list[float]) -> Path:
    """Grey stripes of 16 columns of 10-bit HDR with these codes, 0 to 1."""
    stripes = "+".join(f"{round(64 + 876 * c)}*eq(floor(X/16),{i})" for i, c in enumerate(codes))
    tags = f"setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv"
    source = f"color=black:s={16 * len(codes)}x64:r=25:d=0.4,format=yuv420p10le"
    drawn = f"{source},geq=lum='{stripes}':cb=512:cr=512,{tags}"
    x265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error")
    run_ffmpeg("-f", "lavfi", "-i", drawn, *x265, path)
    return path


def pq_code(nits: float) -> float:
    """SMPTE ST 2084."""
    power = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


@both_ffmpegs
@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_is_tone_mapped(tmp_path: Path, second: Path, transfer: str, ffmpeg: str) -> None:
    """Black, dark grey (26 nits), diffuse white (203 nits, BT.2408) and highlights."""
    codes = [pq_code(nits) for nits in PQ_NITS] if transfer == "smpte2084" else [0, 0.38, 0.75, 1]
    video = steps(tmp_path / "v.mp4", transfer, codes)
    merged = merge(tmp_path, video, second, ffmpeg=ffmpeg)
    assert {"encode_hdr", "tone_mapped"} <= merged.codes
    assert_standard(merged.path, (64, 64))
    seen = rgb(merged.path)[32, 8::16]
    assert np.ptp(seen, axis=1).max() <= 3  # grey stays grey
    (black, grey, white, highlight) = seen.mean(axis=1) / 255
    assert black < 0.02
    assert 0.35 < grey < 0.5
    assert 0.75 < white < 0.95
    assert white < highlight <= 1


@both_ffmpegs
def test_interlaced_is_deinterlaced(tmp_path: Path, second: Path, ffmpeg: str) -> None:
    made = make_video(
        tmp_path / "v.mp4",
        size=(160, 96),
        rate=25,
        duration=Fraction(2, 5),
        interlaced=True,
        flashes=(),
    )
    merged = merge(tmp_path, made.path, second, ffmpeg=ffmpeg)
    assert "encode_interlaced" in merged.codes
    assert_standard(merged.path, (160, 96))
    assert_shows(merged, made)


@both_ffmpegs
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_copy_is_bit_identical(tmp_path: Path, second: Path, suffix: str, ffmpeg: str) -> None:
    made = make_video(tmp_path / f"v.{suffix}", size=(160, 90), rate=25, duration=1)
    before = made.path.read_bytes(), second.read_bytes()
    merged = merge(tmp_path, made.path, second, ffmpeg=ffmpeg, video_mode=VideoMode.COPY)
    assert "copy_video" in merged.codes
    assert_ends(merged)
    assert payloads(merged.path, "video") == payloads(made.path, "video")
    data = merged.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert before == (made.path.read_bytes(), second.read_bytes())


@pytest.mark.parametrize(
    ("spec", "wanted", "why"),
    [
        ({}, {"offset_s": 0.1, "fit": "audio"}, "cut off"),
        ({"codec": "mpeg4"}, {}, "mpeg4"),
        ({}, {"aspect": "1:1"}, "1:1"),
        ({}, {"resolution": "80x60"}, "larger"),
        ({"pixel_format": "yuv444p"}, {}, "4:4:4"),
    ],
)
def test_a_copy_that_is_impossible_is_refused(
    tmp_path: Path, second: Path, spec: dict[str, Any], wanted: dict[str, Any], why: str
) -> None:
    made = make_video(tmp_path / "v.mp4", size=(160, 90), rate=25, duration=1, **spec)
    with pytest.raises(RequestError, match=why):
        merge(tmp_path, made.path, second, video_mode=VideoMode.COPY, **wanted)
    assert not (tmp_path / "out.mp4").exists()
