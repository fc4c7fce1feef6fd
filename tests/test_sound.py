"""What is heard: levels, the camera's own sound, and AAC that is copied as it is."""

from __future__ import annotations

import math
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from measure import click_times, level_db, read_sound
from media_factory import MadeVideo, ffmpeg, make_audio, make_video, tone
from merging import SAMPLE_S, assert_ends, both_ffmpegs, either_ffmpeg, merge, payloads

from avpipe.plan.request import AudioMode, Fit, VideoMode
from avpipe.recipe import Action
from avpipe.updates import Note

FLASHES = (Fraction(12, 25), Fraction(37, 25))
RECORDED = (Fraction(1), Fraction(9, 5))
"""When the recorder's clicks stand on the video's time line, apart from the camera's."""
OFFSET = Fraction("0.25")


@pytest.fixture(scope="session")
def camera(tmp_path_factory: pytest.TempPathFactory) -> MadeVideo:
    path = tmp_path_factory.mktemp("camera") / "camera.mp4"
    return make_video(path, size=(160, 90), rate=25, start=Fraction(1, 5), flashes=FLASHES)


@pytest.fixture(scope="session")
def mute(tmp_path_factory: pytest.TempPathFactory) -> MadeVideo:
    path = tmp_path_factory.mktemp("mute") / "mute.mp4"
    return make_video(path, size=(160, 90), rate=25, duration=2, audio=None)


@pytest.fixture(scope="session")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorder") / "recorder.wav"
    clicks = [click - OFFSET for click in RECORDED]
    return make_audio(path, duration=2, rate=44_100, clicks=clicks)


def test_a_coded_stream_in_a_wav_is_no_noise(tmp_path: Path, mute: MadeVideo) -> None:
    """As on a disc: the header calls it samples, and it begins after some silence."""
    sound = np.stack([tone(96_000, 48_000, 440.0)] * 2)
    plain = make_audio(tmp_path / "a.wav", samples=sound)
    coded = tmp_path / "a.dts"
    ffmpeg("-i", plain, "-c:a", "dca", "-strict", "-2", "-ac", "2", "-b:a", "1411k", coded)
    disc = tmp_path / "disc.wav"
    with wave.open(str(disc), "wb") as file:
        file.setparams((2, 2, 48_000, 0, "NONE", "not compressed"))
        file.writeframes(bytes(40_000) + coded.read_bytes())  # 0.2 s
    merged = merge(tmp_path, mute.path, disc)
    assert merged.plan.inputs.recorders[0].audio[0].codec == "dts"
    assert level_db(merged.path, 0.5, 1.5) == pytest.approx(level_db(plain, 0.5, 1.5), abs=0.5)


@either_ffmpeg("channels", [1, 2, 6])
def test_the_level_stays(tmp_path: Path, mute: MadeVideo, channels: int, ffmpeg: str) -> None:
    """A tone that all channels, or of 5.1 the front ones, have comes out as loud as it went in."""
    sound = np.zeros((channels, 96_000), np.float32)
    sound[:2] = tone(96_000, 48_000, 440.0)
    path = make_audio(tmp_path / "a.wav", samples=sound)
    merged = merge(tmp_path, mute.path, path, ffmpeg=ffmpeg)
    true = 20 * math.log10(0.25 / math.sqrt(2))
    level = level_db(merged.path, 0.5, 1.5)
    with av.open(str(merged.path)) as file:
        stream = file.streams.audio[0]
        facts = (stream.codec.name, stream.profile, stream.rate, stream.layout.name)
    assert facts == ("aac", "LC", 48_000, "stereo")
    assert level == pytest.approx(true, abs=0.1)


@either_ffmpeg("mode", [VideoMode.COPY, VideoMode.ENCODE])
def test_mix_keeps_both_in_place(
    tmp_path: Path, camera: MadeVideo, recorder: Path, mode: VideoMode, ffmpeg: str
) -> None:
    merged = merge(
        tmp_path,
        camera.path,
        recorder,
        ffmpeg=ffmpeg,
        video_mode=mode,
        audio_mode=AudioMode.MIX,
        camera_gain_db=-6.0,
        offset_s=float(OFFSET),
    )
    assert_ends(merged)
    true = sorted(float(time) for time in (*FLASHES, *RECORDED))
    heard = click_times(merged.path, threshold=0.3)
    assert heard == pytest.approx(true, abs=SAMPLE_S)
    loud = [np.abs(around(merged.path, time)).max() for time in true]
    assert loud[0] / loud[1] == pytest.approx(10 ** (-6 / 20), rel=0.08)


def around(path: Path, time: float) -> np.ndarray:
    sound = read_sound(path)
    middle = round(time * sound.rate)
    return sound.samples[:, middle - 100 : middle + 100]


@both_ffmpegs
@pytest.mark.parametrize(("channels", "mode"), [(1, AudioMode.MIX), (6, AudioMode.REPLACE)])
def test_a_sum_is_limited(tmp_path: Path, channels: int, mode: AudioMode, ffmpeg: str) -> None:
    loud = np.float32(3.6) * tone(96_000, 48_000, 440.0)
    video = make_video(tmp_path / "v.mp4", size=(160, 90), rate=25, audio=loud)
    samples = np.repeat(loud[None], channels, axis=0)
    audio = make_audio(tmp_path / "a.flac", samples=samples)
    merged = merge(tmp_path, video.path, audio, ffmpeg=ffmpeg, audio_mode=mode)
    samples = read_sound(merged.path).samples
    assert 0.9 < np.abs(samples).max() < 1.05


@either_ffmpeg("mode", [VideoMode.ENCODE, VideoMode.COPY])
def test_add_keeps_the_camera_first(
    tmp_path: Path, camera: MadeVideo, recorder: Path, mode: VideoMode, ffmpeg: str
) -> None:
    merged = merge(
        tmp_path,
        camera.path,
        recorder,
        ffmpeg=ffmpeg,
        video_mode=mode,
        audio_mode=AudioMode.ADD,
        offset_s=float(OFFSET),
    )
    assert_ends(merged)
    for track, times in enumerate((FLASHES, RECORDED)):
        true = [float(time) for time in times]
        assert click_times(merged.path, track) == pytest.approx(true, abs=SAMPLE_S)


@pytest.mark.parametrize("offset", [Fraction("0.25"), Fraction("-0.7345")])
@both_ffmpegs
def test_the_camera_s_sound_moves_with_a_picture_that_is_cut_or_held(
    tmp_path: Path, camera: MadeVideo, recorder: Path, offset: Fraction, ffmpeg: str
) -> None:
    merged = merge(
        tmp_path,
        camera.path,
        recorder,
        ffmpeg=ffmpeg,
        audio_mode=AudioMode.ADD,
        offset_s=float(offset),
        fit=Fit.AUDIO,
    )
    assert_ends(merged)
    true = [float(flash - offset) for flash in FLASHES]
    true = [time for time in true if time < merged.duration]
    assert click_times(merged.path, 0) == pytest.approx(true, abs=SAMPLE_S)


@pytest.mark.parametrize("mode", [AudioMode.MIX, AudioMode.ADD])
def test_a_mute_video_has_no_sound_to_keep(
    tmp_path: Path, mute: MadeVideo, recorder: Path, mode: AudioMode
) -> None:
    merged = merge(
        tmp_path, mute.path, recorder, audio_mode=mode, offset_s=float(OFFSET), camera_gain_db=-9.0
    )
    notes = [update.code for update in merged.updates if isinstance(update, Note)]
    assert notes == ["no_camera_sound"]
    true = [float(time) for time in RECORDED]
    assert click_times(merged.path) == pytest.approx(true, abs=SAMPLE_S)
    assert np.abs(around(merged.path, true[0])).max() == pytest.approx(0.7, rel=0.05)


@both_ffmpegs
@pytest.mark.parametrize("suffix", ["m4a", "aac"])
def test_aac_that_needs_no_change_is_copied(
    tmp_path: Path, mute: MadeVideo, suffix: str, ffmpeg: str
) -> None:
    audio = make_audio(tmp_path / f"a.{suffix}", duration=3, channels=2, clicks=RECORDED)
    merged = merge(tmp_path, mute.path, audio, ffmpeg=ffmpeg)
    assert merged.plan.audio is Action.COPY
    assert "copy_audio" in merged.codes
    assert_ends(merged)
    (source, copied) = (payloads(audio, "audio"), payloads(merged.path, "audio"))
    assert copied == source[: len(copied)]
    assert len(copied) >= 2 * 48_000 // 1024
    true = click_times(audio)[:2]
    assert click_times(merged.path) == pytest.approx(true, abs=SAMPLE_S)


@pytest.mark.parametrize(
    ("made", "wanted", "code"),
    [
        ({"duration": 3}, {"offset_s": 0.5}, "encode_audio_pad"),
        ({"duration": 3}, {"offset_s": -0.5}, "encode_audio_cut"),
        ({"duration": 1}, {}, "encode_audio_pad"),
        ({"duration": 3, "rate": 8000}, {}, "encode_audio_format"),
        ({"duration": 3, "codec": "alac"}, {}, "encode_audio_codec"),
    ],
)
def test_the_plan_says_why_aac_is_encoded(
    tmp_path: Path, mute: MadeVideo, made: dict[str, object], wanted: dict[str, object], code: str
) -> None:
    audio = make_audio(tmp_path / "a.m4a", channels=2, **made)  # type: ignore[arg-type]
    merged = merge(tmp_path, mute.path, audio, **wanted)
    assert merged.plan.audio is Action.ENCODE
    assert code in merged.codes
    assert_ends(merged)
