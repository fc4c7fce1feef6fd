"""Samples of a WAV file that are encoded as they are: the same bytes as by way of ffmpeg."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from commands import CommandLine, write_program
from measure import read_sound
from media_factory import make_audio, make_video

from avpipe.codecs import graph, isolate
from avpipe.codecs.ffmpeg import find
from avpipe.codecs.plain_samples import PlainSound, plain_sound
from avpipe.plan.request import Request, Sync
from avpipe.plan.values import Plan
from avpipe.settings import load
from avpipe.workflow import plan_merge

SECONDS = 12
"""More than a chunk."""


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Silent, so that nothing is heard where the recording is not."""
    return make_video(tmp_path_factory.mktemp("v") / "v.mp4", duration=SECONDS, audio=None).path


def planned(video: Path, audio: Path, **options: object) -> Plan:
    request = Request(
        video=str(video),
        audio=str(audio),
        output=str(audio.with_name("out.mp4")),
        sync=Sync.START,
        **options,  # type: ignore[arg-type]
    )
    settings = load({}, config=audio.with_name("none"), state_dir=audio.with_name("state"))
    return plan_merge(request, settings)


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("seconds", "offset_s"),
    [(SECONDS, 0.0), (SECONDS + 3, -1.23456), (4, 2.5), (SECONDS, SECONDS - 0.01)],
)
def test_the_bytes_are_those_by_way_of_ffmpeg(
    codec: str, channels: int, seconds: int, offset_s: float, video: Path, tmp_path: Path
) -> None:
    audio = make_audio(
        tmp_path / "a.wav",
        duration=seconds,
        channels=channels,
        codec=codec,
        noise=0.05,
        clicks=[1, 3],
        tone_hz=440,
    )
    plan = planned(video, audio, offset_s=offset_s, drift="off")
    plain = plain_sound(plan.recipe)
    assert plain is not None
    (ours, theirs) = (tmp_path / "ours.m4a", tmp_path / "theirs.m4a")
    assert [*isolate.encode_samples(plain, str(ours), workers=2)][-1] == plain.total
    arguments = graph.audio_arguments(plan.recipe, 0, "pipe:1")
    list(isolate.encode_audio(find(None), arguments, str(theirs), workers=2))
    assert ours.read_bytes() == theirs.read_bytes()
    assert np.abs(read_sound(ours).samples).max() > (0.1 if offset_s < SECONDS - 1 else 0.01)


def made_plain(video: Path, audio: Path, **options: object) -> PlainSound | None:
    return plain_sound(planned(video, audio, **options).recipe)


def test_what_is_not_plain_is_left_to_ffmpeg(video: Path, tmp_path: Path) -> None:
    plain = make_audio(tmp_path / "plain.wav", duration=2, channels=2, noise=0.05)
    assert made_plain(video, plain) is not None
    assert made_plain(video, plain, drift="30") is None
    assert made_plain(video, make_audio(tmp_path / "a.wav", duration=2, rate=44100)) is None
    assert made_plain(video, make_audio(tmp_path / "a.flac", duration=2)) is None
    assert made_plain(video, make_audio(tmp_path / "b.wav", codec="pcm_u8")) is None
    assert made_plain(video, make_audio(tmp_path / "c.wav", channels=6)) is None
    camera = make_video(tmp_path / "camera.mp4", duration=4).path
    assert made_plain(camera, plain) is None


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 1000])
def test_a_header_that_says_something_else_is_left_to_ffmpeg(
    size: int, video: Path, tmp_path: Path
) -> None:
    audio = make_audio(tmp_path / "a.wav", duration=2, noise=0.05)
    plan = planned(video, audio)
    data = bytearray(audio.read_bytes())
    at = data.index(b"data") + 4
    assert struct.unpack_from("<I", data, at)[0] == len(data) - at - 4
    assert plain_sound(plan.recipe) is not None
    struct.pack_into("<I", data, at, size)
    audio.write_bytes(data)
    assert plain_sound(plan.recipe) is None


def test_no_ffmpeg_is_needed_for_a_copied_picture_and_samples(
    avpipe: CommandLine, video: Path
) -> None:
    failing = write_program(avpipe.folder / "bin" / "ffmpeg", "exit 1")
    make_audio(avpipe.folder / "a.wav", duration=SECONDS, channels=2, clicks=[5])
    ran = avpipe.with_env(AVPIPE_FFMPEG=str(failing))(
        "merge", video, "a.wav", "-o", "out.mp4", "--sync", "start", "--video", "copy"
    )
    assert ran.code == 0, ran.err
    sound = read_sound(avpipe.folder / "out.mp4")
    assert abs(int(np.abs(sound.samples[0]).argmax()) / 48000 - 5) < 0.005


def test_a_file_that_becomes_shorter_meanwhile_is_told(video: Path, tmp_path: Path) -> None:
    audio = make_audio(tmp_path / "a.wav", duration=2, noise=0.05)
    plain = plain_sound(planned(video, audio).recipe)
    assert plain is not None
    audio.write_bytes(audio.read_bytes()[:-1000])
    with pytest.raises(Exception, match=r"a\.wav ends before its last sample"):
        list(isolate.encode_samples(plain, str(tmp_path / "x.m4a"), workers=1))
