"""Whether a picture was copied is told by its packets, at the place where they are."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import pytest
from media_factory import make_video

from avpipe.codecs.ffmpeg import find
from avpipe.codecs.isolate import find_copies

STRETCHES = [(0.0, 1.0), (1.5, 2.5), (3.0, 4.0)]


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of H.264, with frames that are shown in another order than they are stored."""
    folder = tmp_path_factory.mktemp("camera")
    make_video(folder / "own.mp4", size=(160, 90), duration=4, rate=25)
    made = folder / "camera.mp4"
    options = ("-c:v", "libx264", "-g", "25", "-bf", "3", "-an", "-preset", "medium")
    convert(folder / "own.mp4", made, *options)
    return made


def convert(source: Path, made: Path, *options: str, before: tuple[str, ...] = ()) -> Path:
    argv = [find(None).path, "-v", "error", *before, "-i", source, *options, made]
    subprocess.run(argv, check=True)
    return made


def copies(camera: Path, made: Path) -> list[float | None]:
    paths = ((str(camera), 0), (str(made), 0))
    return find_copies(*paths, STRETCHES, later_s=0.0, reach_s=1.0)


def test_a_copy_is_one_wherever_it_lies(camera: Path, tmp_path: Path) -> None:
    same = convert(camera, tmp_path / "same.mp4", "-c", "copy", "-movflags", "+faststart")
    assert copies(camera, same) == pytest.approx([0, 0, 0], abs=1e-6)
    later = convert(
        camera, tmp_path / "later.mkv", "-c", "copy", before=("-itsoffset", "0.4", "-copyts")
    )
    assert copies(camera, later) == pytest.approx([0.4, 0.4, 0.4], abs=0.001)
    far = convert(
        camera, tmp_path / "far.mkv", "-c", "copy", before=("-itsoffset", "1.6", "-copyts")
    )
    assert copies(camera, far) == [None, None, None]


def test_what_was_encoded_again_is_none(camera: Path, tmp_path: Path) -> None:
    again = convert(camera, tmp_path / "again.mp4", "-c:v", "libx264", "-g", "25", "-crf", "30")
    assert copies(camera, again) == [None, None, None]


def test_one_other_byte_is_found_in_its_stretch_and_what_hangs_on_it(
    camera: Path, tmp_path: Path
) -> None:
    with av.open(str(camera)) as file:
        packets = [packet for packet in file.demux(video=0) if packet.size]
    (changed,) = [packet for packet in packets if packet.is_keyframe and packet.pts and
                  float(packet.pts * packet.time_base) == 1.0]  # fmt: skip
    content = bytearray(camera.read_bytes())
    content[changed.pos + changed.size - 20] ^= 0xFF  # the second stretch begins half a second on
    other = tmp_path / "other.mp4"
    other.write_bytes(content)
    assert copies(camera, other) == [pytest.approx(0), None, pytest.approx(0)]
