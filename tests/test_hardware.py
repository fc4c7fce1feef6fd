"""Hardware encoders are used where a trial on this machine succeeded, told by a stand-in ffmpeg."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import pytest
from media_factory import MadeVideo, make_audio, make_video
from merging import assert_ends, assert_shows, merge
from test_picture import assert_standard

from avpipe.codecs.encoders import working_hardware
from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.errors import RequestError
from avpipe.plan.request import VideoMode
from avpipe.recipe import Quality

STAND_IN = """#!/bin/sh
# The real ffmpeg, with libx264 in the place of h264_nvenc, which it seems to have.
echo "$*" >> {log}
case "$*" in
    *-encoders*) {real} -hide_banner -encoders | grep -v h264_; echo " V....D h264_nvenc x"; exit;;
    *h264_nvenc*) {when_used};;
esac
for word in "$@"; do
    shift
    case "$skip$word" in
        skip*) skip=; continue;;
        -rc|-cq|-b:v) skip=skip; continue;;
        h264_nvenc) word=libx264;;
        p2|p5) word=veryfast;;
    esac
    set -- "$@" "$word"
done
exec {real} "$@"
"""


def stand_in(folder: Path, *, when_used: str = "true") -> Path:
    path = folder / "ffmpeg"
    real = imageio_ffmpeg.get_ffmpeg_exe()
    path.write_text(STAND_IN.format(real=real, log=folder / "log", when_used=when_used))
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[MadeVideo, Path]:
    folder = tmp_path_factory.mktemp("clip")
    made = make_video(folder / "v.mp4", size=(160, 90), rate=25, duration=1)
    return made, make_audio(folder / "a.wav", duration=Fraction(1), tone_hz=440.0)


@pytest.mark.parametrize(
    ("quality", "encoder"),
    [
        (Quality.DRAFT, "h264_nvenc"),
        (Quality.STANDARD, "h264_nvenc"),
        (Quality.HIGH, "libx264"),
    ],
)
def test_a_working_encoder_is_used(
    tmp_path: Path, clip: tuple[MadeVideo, Path], quality: Quality, encoder: str
) -> None:
    (made, audio) = clip
    merged = merge(
        tmp_path,
        made.path,
        audio,
        ffmpeg=str(stand_in(tmp_path)),
        video_mode=VideoMode.ENCODE,
        quality=quality,
    )
    assert merged.plan.encode is not None
    assert merged.plan.encode.encoder == encoder
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert f"-c:v {encoder} " in last
    assert_standard(merged.path, (160, 90))
    assert_ends(merged)
    assert_shows(merged, made)


def test_an_encoder_that_fails_its_trial_is_not_used(
    tmp_path: Path, clip: tuple[MadeVideo, Path]
) -> None:
    (made, audio) = clip
    broken = stand_in(tmp_path, when_used="echo 'Cannot load libcuda.so.1' >&2; exit 1")
    merged = merge(tmp_path, made.path, audio, ffmpeg=str(broken), video_mode=VideoMode.ENCODE)
    assert merged.plan.encode is not None
    assert merged.plan.encode.encoder == "libx264"
    assert_ends(merged)


@pytest.mark.parametrize(("when_used", "names"), [("true", ("h264_nvenc",)), ("exit 1", ())])
def test_the_answer_is_kept(tmp_path: Path, when_used: str, names: tuple[str, ...]) -> None:
    ffmpeg = Ffmpeg(str(stand_in(tmp_path, when_used=when_used)))
    assert working_hardware(ffmpeg, tmp_path / "state") == names
    asked = (tmp_path / "log").read_text()
    assert "h264_nvenc" in asked
    assert working_hardware(ffmpeg, tmp_path / "state") == names
    assert (tmp_path / "log").read_text() == asked


def test_one_encoder_can_be_chosen(tmp_path: Path) -> None:
    ffmpeg = Ffmpeg(str(stand_in(tmp_path)))
    state = tmp_path / "state"
    assert working_hardware(ffmpeg, state, only="h264_nvenc") == ("h264_nvenc",)
    assert working_hardware(ffmpeg, state, only="libx264") == ()
    with pytest.raises(RequestError, match="h264_qsv does not work here"):
        working_hardware(ffmpeg, state, only="h264_qsv")
