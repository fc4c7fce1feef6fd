"""What two files hold is lined up to the sample, whatever they are kept in."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from measure import click_times, flash_times
from media_factory import ffmpeg as run_ffmpeg
from media_factory import make_audio, make_video
from merging import FFMPEGS, SAMPLE_S, both_ffmpegs, either_ffmpeg, merge
from numpy.typing import NDArray

from avpipe.benchmarks.scene import click_track, pink_noise, resample_at
from avpipe.codecs import listening, mp4_sound
from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.isolate import probe_files
from avpipe.codecs.listening import (
    LISTEN_RATE,
    MIX,
    WHOLE,
    Decoder,
    Stretch,
    Track,
    camera_track,
    floats,
    recorder_track,
)
from avpipe.errors import UnreadableError
from avpipe.listen import align, hearing
from avpipe.listen.align import align_files
from avpipe.listen.crew import Crew
from avpipe.listen.hints import first_guess
from avpipe.listen.near import align_near
from avpipe.listen.store import Store
from avpipe.media import (
    Alignment,
    AlignmentMethod,
    AudioStream,
    Doubt,
    MediaInfo,
    Verdict,
    VideoStream,
)
from avpipe.plan.request import Fill
from avpipe.sync.features import PCM_RATE, extract

Samples = NDArray[np.float32]

RATE = 48_000
SECONDS = 12
LEAD_S = 3
"""How much of the world there is before the first frame."""
FLASHES = (Fraction(2), Fraction(36, 5), Fraction(10))
OFFSETS = (Fraction("0.7345"), Fraction("-0.7345"))


def world() -> Samples:
    """Noise that rises and falls, with a click at every flash, from LEAD_S before the first."""
    rng = np.random.default_rng(7)
    size = (SECONDS + 2 * LEAD_S) * RATE
    knots = np.exp(0.8 * rng.standard_normal(size // (RATE // 8) + 2))
    swell = np.interp(np.arange(size) / (RATE // 8), np.arange(knots.size), knots)
    noise = pink_noise(size, rng) * swell.astype(np.float32) * np.float32(0.03)
    return noise + click_track(FLASHES, size, RATE, start=-LEAD_S) * np.float32(0.7)


WORLD = world()


def heard(start: Fraction, seconds: Fraction | int, rate: int = RATE) -> Samples:
    """The world from a moment on, `start` counted from the first frame."""
    first = (start + LEAD_S) * RATE
    return resample_at(WORLD, first, Fraction(RATE, rate), round(seconds * rate))


def camera_file(path: Path, **spec: Any) -> Path:
    """A video with the world's sound, its own noise added."""
    first = Fraction(spec.get("audio_start", 0)) - Fraction(spec.get("start", 0))
    length = spec.get("audio_duration", SECONDS - max(first, 0))
    sound = heard(first, length, spec.get("audio_rate", RATE))
    own = pink_noise(sound.size, np.random.default_rng(8)) * np.float32(0.003)
    basis = {"size": (160, 90), "rate": 25, "duration": SECONDS, "flashes": FLASHES}
    make_video(path, **basis | {"audio": sound + own} | spec)
    return path


def recorder_file(path: Path, offset: Fraction, *, seconds: int = 11, **spec: Any) -> Path:
    """The world's sound from `offset` on."""
    sound = heard(offset, seconds, spec.get("rate", RATE))
    samples = np.broadcast_to(sound, (spec.pop("channels", 1), sound.size))
    return make_audio(path, samples=samples, **spec)


def align_paths(video: Path, audio: Path, ffmpeg: str = "wheel", **more: Any) -> Alignment:
    (first, second) = probe_files([str(video), str(audio)])
    return align_files(first, second, ffmpeg=Ffmpeg(FFMPEGS[ffmpeg]), cores=2, **more)


def scratch_clicks(video: Path) -> list[float]:
    """When the camera's own sound has its clicks, after the first frame shown.

    AVI has no times of presentation, and what decoders guess may be a frame late.
    """
    if video.suffix == ".avi":
        return [float(flash) for flash in FLASHES]
    return [float(time) for time in click_times(video)]


def assert_merged_together(
    folder: Path, video: Path, audio: Path, ffmpeg: str, *, frame_s: float = SAMPLE_S
) -> Alignment:
    """Lined up by what is heard, flash and click are as far apart as in the camera's file.

    They are together there, but for what its container's clock rounds.
    """
    true = scratch_clicks(video)
    assert true == pytest.approx([float(flash) for flash in FLASHES], abs=0.0007)
    found = align_paths(video, audio, ffmpeg)
    assert found.verdict is Verdict.MATCHED
    assert found.offset_s is not None
    merged = merge(folder, video, audio, ffmpeg=ffmpeg, offset_s=found.offset_s, fill=Fill.SILENCE)
    shown = [float(time) for time in flash_times(merged.path)]
    assert shown == pytest.approx([float(flash) for flash in FLASHES], abs=frame_s)
    assert click_times(merged.path) == pytest.approx(true, abs=SAMPLE_S)
    return found


CAMERAS: dict[str, dict[str, Any]] = {
    "plain.mp4": {},
    "b-frames.mp4": {"b_frames": 3},
    "44.mp4": {"audio_rate": 44_100},
    "sound-later.mp4": {"audio_start": Fraction(1, 2)},
    "picture-later.mp4": {"start": Fraction(1, 2), "audio_duration": SECONDS},
    "fragmented.mp4": {"options": {"movflags": "frag_keyframe+empty_moov"}},
    "no-edit-list.mp4": {"options": {"use_editlist": "0"}},
    "opus.mp4": {"audio_codec": "libopus"},
    "flac.mp4": {"audio_codec": "flac"},
    "ac3.mp4": {"audio_codec": "ac3"},
    "mp3.mp4": {"audio_codec": "libmp3lame"},
    "pcm.mov": {"audio_codec": "pcm_s16le"},
    "aac.mkv": {},
    "opus.mkv": {"audio_codec": "libopus"},
    "later.mkv": {"audio_start": Fraction(1, 2)},
    "opus.webm": {"codec": "libvpx", "audio_codec": "libopus"},
    "aac.ts": {},
    "pcm.avi": {"b_frames": 0, "audio_codec": "pcm_s16le"},
}
COARSE_S = {".mkv": 0.0006, ".webm": 0.0006, ".ts": 0.0002, ".avi": 0.0002}
RECORDERS: dict[str, dict[str, Any]] = {
    "48.wav": {},
    "44.wav": {"rate": 44_100, "channels": 2},
    "float.wav": {"codec": "pcm_f32le"},
    "a.flac": {"rate": 44_100},
    "alac.m4a": {"codec": "alac"},
    "a.mp3": {"rate": 44_100, "channels": 2},
    "a.m4a": {},
    "44.m4a": {"rate": 44_100},
    "a.aac": {},
    "a.ogg": {"channels": 2},
    "a.opus": {},
    "a.ac3": {"channels": 2},
    "surround.flac": {"channels": 6},
}


@either_ffmpeg("name", CAMERAS)
def test_every_camera(tmp_path: Path, name: str, ffmpeg: str) -> None:
    video = camera_file(tmp_path / name, **CAMERAS[name])
    offset = OFFSETS[list(CAMERAS).index(name) % 2]
    audio = recorder_file(tmp_path / "a.wav", offset)
    near = COARSE_S.get(video.suffix, SAMPLE_S)
    found = assert_merged_together(tmp_path, video, audio, ffmpeg, frame_s=near)
    late = scratch_clicks(video)[0] - float(FLASHES[0])
    assert found.offset_s == pytest.approx(float(offset) + late, abs=SAMPLE_S)


@either_ffmpeg("name", RECORDERS)
def test_every_recorder(tmp_path: Path, name: str, ffmpeg: str) -> None:
    offset = OFFSETS[list(RECORDERS).index(name) % 2]
    video = camera_file(tmp_path / "plain.mp4")
    audio = recorder_file(tmp_path / name, offset, **RECORDERS[name])
    assert_merged_together(tmp_path, video, audio, ffmpeg)


# How much is decoded, and from where


def lined_up(found: Alignment, offset: float) -> None:
    assert (found.verdict, found.method) == (Verdict.MATCHED, AlignmentMethod.CONTENT)
    assert found.offset_s == pytest.approx(offset, abs=SAMPLE_S)


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return camera_file(tmp_path_factory.mktemp("camera") / "camera.mp4")


SOUGHT = {
    "a.m4a": {},
    "44.m4a": {"rate": 44_100},
    "alac.m4a": {"codec": "alac"},
    "48.wav": {},
    "44.wav": {"rate": 44_100},
}


@both_ffmpegs
@pytest.mark.parametrize("name", SOUGHT)
def test_a_stretch_is_that_part_of_the_whole(tmp_path: Path, name: str, ffmpeg: str) -> None:
    """Sought, decoded from there and cut to the sample."""
    audio = recorder_file(tmp_path / name, OFFSETS[0], **SOUGHT[name])
    (info,) = probe_files([str(audio)])
    track = recorder_track(info)
    assert track.sought
    whole = decoded(track, WHOLE, ffmpeg)
    for begin, end in ((0, 2), (3, 6), (7, None)):
        part = decoded(track, Stretch(begin_s=begin, end_s=end), ffmpeg)
        true = whole[begin * LISTEN_RATE : None if end is None else end * LISTEN_RATE]
        assert part.size == true.size
        # Where it is cut the resampler hears silence, and AAC's noise is not twice the same.
        inner = slice(200, -200)
        assert np.abs(part - true)[inner].max() < 0.05 * np.abs(true).max()
        assert np.vdot(part[inner], true[inner]) > 0.999 * np.square(true[inner]).sum()


VERY_LONG: dict[str, dict[str, Any]] = {
    "a.m4a": {},
    "alac.m4a": {"codec": "alac"},
    "camera.mp4": {"b_frames": 3},
    "front.mp4": {"options": {"movflags": "faststart"}},
    "later.mp4": {"audio_start": Fraction(1, 2)},
    "camera.mov": {},
}


@both_ffmpegs
@pytest.mark.parametrize("name", VERY_LONG)
def test_of_a_very_long_mp4_a_decoder_is_shown_the_stretch_alone(
    tmp_path: Path, name: str, ffmpeg: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hears what it hears by the index of the whole, and is told of few packets."""
    monkeypatch.setattr(listening, "IN_PARTS_FROM_S", 0.0)
    limits = {"LONG_FROM_BYTES": 0, "EDGE": 8, "AROUND": 6, "LONGEST_STEP": 100_000}
    for limit, value in limits.items():
        monkeypatch.setattr(mp4_sound, limit, value)
    if name.endswith(".m4a"):
        (info,) = probe_files([str(recorder_file(tmp_path / name, OFFSETS[0], **VERY_LONG[name]))])
        track = recorder_track(info)
    else:
        (info,) = probe_files([str(camera_file(tmp_path / name, **VERY_LONG[name]))])
        track = camera_track(info, info.audio[0])
    part = listening.in_parts(track)
    assert part.long is not None
    for begin, end in ((0, 2), (1, 3), (5, 6), (10, None)):
        stretch = Stretch(begin_s=begin, end_s=end)
        (found, true) = (decoded(one, stretch, ffmpeg) for one in (part, track))
        # AAC's noise is not twice the same.
        np.testing.assert_allclose(found, true, rtol=0, atol=2 / 32768)
        with part.long.shown(begin - 1, end) as shown:
            assert shown is not None
        told = sum(last - first for first, last in part.long._kept(begin - 1, end))
        assert told < 8 + 6 + 2 * 6 + 50 * ((end or SECONDS) - begin + 1)


def decoded(track: Track, stretch: Stretch, ffmpeg: str) -> Samples:
    with Decoder(Ffmpeg(FFMPEGS[ffmpeg]), track, (MIX,), stretch) as decoder:
        return np.concatenate([floats(block)[0] for block in decoder.blocks()])


KEPT = pytest.mark.parametrize("on_disk_from_s", [0.0, hearing.ON_DISK_FROM_S])
"""Features on disk, as those of a day are, and in memory."""


@KEPT
def test_of_a_long_camera_parts_are_enough(
    tmp_path: Path, camera: Path, monkeypatch: pytest.MonkeyPatch, on_disk_from_s: float
) -> None:
    """Of what counts as long, some stretches are decoded, and then what the exact fit asks for."""
    monkeypatch.setattr(hearing, "ON_DISK_FROM_S", on_disk_from_s)
    monkeypatch.setattr(align, "LONG_S", 10.0)
    monkeypatch.setattr(align, "_SAMPLED", (2, 5))
    audio = recorder_file(tmp_path / "a.wav", OFFSETS[1])
    lined_up(align_paths(camera, audio), float(OFFSETS[1]))


def test_what_is_known_of_a_stretch_ends_where_its_sound_does() -> None:
    """A window that reached 40 ms beyond what was decoded had 50 others decoded beside it."""
    noise = np.random.default_rng(5).standard_normal(10 * PCM_RATE).astype(np.float32)
    parts = {20: extract(noise), 40: extract(noise[: 9 * PCM_RATE])}
    with Store(1, np.dtype(np.int16), None) as store:
        joined = hearing._joined(parts, 60.0, store)
    assert joined.known_spans == [(20.0, 30.0), (40.0, 49.0)]


@KEPT
def test_what_cannot_be_sought_is_listened_to_in_parts(
    tmp_path: Path, camera: Path, monkeypatch: pytest.MonkeyPatch, on_disk_from_s: float
) -> None:
    """Of an MP3 that counts as long each part's features are finished while the next is decoded."""
    monkeypatch.setattr(hearing, "ON_DISK_FROM_S", on_disk_from_s)
    monkeypatch.setattr(hearing, "_PART_S", 4)
    audio = recorder_file(tmp_path / "a.mp3", OFFSETS[0], rate=44_100, channels=2)
    lined_up(align_paths(camera, audio), float(OFFSETS[0]))


@KEPT
def test_what_one_channel_hears_is_enough(
    tmp_path: Path, camera: Path, monkeypatch: pytest.MonkeyPatch, on_disk_from_s: float
) -> None:
    """Of a stereo sound whose mix is silent, and of one with one channel empty."""
    monkeypatch.setattr(hearing, "ON_DISK_FROM_S", on_disk_from_s)
    sound = heard(OFFSETS[0], 11)
    for name, samples in (
        ("cancelled.wav", np.stack([sound, -sound])),
        ("right.wav", np.stack([sound * 0, sound])),
    ):
        audio = make_audio(tmp_path / name, samples=samples, channels=2)
        lined_up(align_paths(camera, audio), float(OFFSETS[0]))
    audio = make_audio(tmp_path / "inverted.wav", samples=-sound)
    assert align_paths(camera, audio).inverted


def test_the_track_that_fits_counts(tmp_path: Path) -> None:
    """The video's first sound is another one."""
    other = pink_noise(SECONDS * RATE, np.random.default_rng(9)) * np.float32(0.1)
    tracks = [other, heard(Fraction(0), SECONDS)]
    video = camera_file(tmp_path / "two.mp4", audio=tracks)
    audio = recorder_file(tmp_path / "a.wav", OFFSETS[0])
    lined_up(align_paths(video, audio), float(OFFSETS[0]))


@both_ffmpegs
def test_near_a_place_that_is_known(tmp_path: Path, camera: Path, ffmpeg: str) -> None:
    """The exact place and the drift from windows alone; nothing where nothing is."""
    (true, drift) = (float(OFFSETS[1]), 100e-6)
    first = (OFFSETS[1] + LEAD_S) * RATE
    sound = resample_at(WORLD, first, 1 / (1 + Fraction(100, 10**6)), 11 * RATE)
    audio = make_audio(tmp_path / "a.wav", samples=sound)
    (video, info) = probe_files([str(camera), str(audio)])
    tool = Ffmpeg(FFMPEGS[ffmpeg])
    found = align_near(video, info, true + 0.1, ffmpeg=tool, cores=2)
    assert found.verdict is Verdict.MATCHED
    assert found.offset_s == pytest.approx(true, abs=SAMPLE_S)
    assert found.drift_ppm == pytest.approx(drift * 1e6, abs=3)
    lost = align_near(video, info, true + 2, ffmpeg=tool, cores=2)
    assert (lost.verdict, lost.offset_s) == (Verdict.UNCERTAIN, true + 2)


# Bad input


def float_wave(path: Path, samples: Samples) -> Path:
    return make_audio(path, samples=samples, codec="pcm_f32le")


def test_what_is_no_number_and_what_is_no_sound(tmp_path: Path, camera: Path) -> None:
    sound = heard(OFFSETS[0], 11)
    broken = sound + np.float32(0.3)
    broken[::977] = np.nan
    broken[5000:9000] = np.inf
    lined_up(align_paths(camera, float_wave(tmp_path / "nan.wav", broken)), float(OFFSETS[0]))
    silent = {
        "silence": (sound * 0, Doubt.SILENT),
        "dc": (sound * 0 + 0.5, Doubt.SILENT),
        "all-nan": (sound * np.nan, Doubt.SILENT),
        "one": (sound[:1], Doubt.TOO_SHORT),
    }
    for name, (samples, reason) in silent.items():
        found = align_paths(camera, float_wave(tmp_path / f"{name}.wav", samples))
        assert (name, found.verdict, found.reason) == (name, Verdict.UNRELATED, reason)
        assert (found.offset_s, found.drift_ppm) == (None, None)


@both_ffmpegs
def test_damaged_packets_move_nothing(tmp_path: Path, camera: Path, ffmpeg: str) -> None:
    """Half a second of the camera's file is overwritten with zeros."""
    data = bytearray(camera.read_bytes())
    middle = len(data) // 2
    data[middle : middle + len(data) // 24] = bytes(len(data) // 24)
    video = tmp_path / "damaged.mp4"
    video.write_bytes(data)
    audio = recorder_file(tmp_path / "a.wav", OFFSETS[0])
    found = align_paths(video, audio, ffmpeg)
    lined_up(found, float(OFFSETS[0]))
    assert len(found.pieces) == 1


def test_a_video_without_sound(tmp_path: Path) -> None:
    video = make_video(tmp_path / "mute.mp4", size=(160, 90), frames=10, audio=None).path
    found = align_paths(video, recorder_file(tmp_path / "a.wav", OFFSETS[0]))
    assert (found.verdict, found.reason) == (Verdict.UNRELATED, Doubt.NO_AUDIO)
    assert found.offset_s is None


def test_more_channels_than_ffmpeg_takes(camera: Path, tmp_path: Path) -> None:
    """The recorder's are refused; a camera's track is left out where there is another."""
    audio = recorder_file(tmp_path / "a.wav", OFFSETS[0])
    (video, info) = probe_files([str(camera), str(audio)])
    many = replace(info, audio=(replace(info.audio[0], channels=200),))
    with pytest.raises(UnreadableError, match="200 channels"):
        align_files(video, many, ffmpeg=Ffmpeg(FFMPEGS["wheel"]), cores=2)
    tracks = (replace(video.audio[0], channels=200), *video.audio)
    found = align_files(
        replace(video, audio=tracks), info, ffmpeg=Ffmpeg(FFMPEGS["wheel"]), cores=2
    )
    lined_up(found, float(OFFSETS[0]))
    with pytest.raises(UnreadableError, match="200 channels"):
        align_files(
            replace(video, audio=tracks[:1]), info, ffmpeg=Ffmpeg(FFMPEGS["wheel"]), cores=2
        )


# What the tags say


def tagged(metadata: dict[str, str], *, picture: bool, seconds: int = 600) -> MediaInfo:
    """The facts of a file with tags."""
    video = VideoStream(
        **dict.fromkeys(field.name for field in fields(VideoStream))  # type: ignore[arg-type]
        | {"time_base": Fraction(1, 30_000), "start_pts": 0, "frame_rate": Fraction(30_000, 1001)}
    )
    audio = AudioStream(
        **dict.fromkeys(field.name for field in fields(AudioStream))  # type: ignore[arg-type]
        | {"time_base": Fraction(1, RATE), "sample_rate": RATE}
    )
    return MediaInfo(
        path="",
        container=None,
        size_bytes=None,
        modified_ns=None,
        duration=Fraction(seconds),
        video=(video,) if picture else (),
        audio=(audio,),
        metadata=metadata,
    )


@pytest.mark.parametrize(
    ("video", "audio", "offset_s"),
    [
        ({"timecode": "10:00:00:00"}, {"time_reference": str(36_046 * RATE)}, 10.0),
        ({"timecode": "10:00:00:0"}, {"time_reference": str(36_046 * RATE)}, 10.0),
        ({"timecode": "10:00:00;00"}, {"time_reference": str(36_010 * RATE)}, 10.036),
        ({"timecode": "00:00:05;00"}, {"time_reference": str(86_390 * RATE)}, -15.005),
        (
            {"creation_time": "2024-05-01T10:00:00.000000Z"},
            {"date": "2024-05-01", "creation_time": "09:59:30"},
            -30.0,
        ),
        ({"creation_time": "2024-05-01T10:00:00Z"}, {"creation_time": "2024-05-01T12:00Z"}, None),
        ({"creation_time": "1970-01-01T00:00:00Z"}, {"creation_time": "1970-01-01T00:00Z"}, None),
        ({"creation_time": "yesterday"}, {}, None),
        ({"timecode": "10:00:00:00"}, {}, None),
    ],
)
def test_a_first_guess(
    video: dict[str, str], audio: dict[str, str], offset_s: float | None
) -> None:
    """Time code counts frames of 1001/30000 s, drop-frame or not; a day has 24 hours."""
    hint = first_guess(tagged(video, picture=True), tagged(audio, picture=False))
    found = None if hint is None else hint.offset_s
    assert found == (None if offset_s is None else pytest.approx(offset_s, abs=0.001))


class CountingCrew(Crew):
    """Knows how many seconds of sound all crews have decoded."""

    total_s = 0.0

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        type(self).total_s += self.heard_s


@pytest.fixture
def short_is_long(monkeypatch: pytest.MonkeyPatch) -> type[CountingCrew]:
    """Some seconds count as long, and what is decoded is counted."""
    monkeypatch.setattr(align, "LONG_S", 10.0)
    monkeypatch.setattr(align, "HINTED_S", 10.0)
    monkeypatch.setattr(align, "_LEAST_HINTED_S", 4.0)
    monkeypatch.setattr(align, "_SAMPLED", (3, 4))
    monkeypatch.setattr(align, "Crew", CountingCrew)
    CountingCrew.total_s = 0.0
    return CountingCrew


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> MediaInfo:
    """A camera's file whose time code says ten o'clock."""
    folder = tmp_path_factory.mktemp("timed")
    run_ffmpeg(
        *("-i", camera_file(folder / "made.mp4"), "-c", "copy"),
        *("-timecode", "10:00:00:00", folder / "timed.mov"),
    )
    (info,) = probe_files([str(folder / "timed.mov")])
    assert info.metadata["timecode"] == "10:00:00:00"
    return info


def told(info: MediaInfo, offset_s: float) -> MediaInfo:
    """A recorder's file that says it began that long after ten o'clock."""
    return replace(info, metadata={"time_reference": str(round((36_000 + offset_s) * RATE))})


BEFORE_S = 60
"""How long the recorder ran before the camera."""


def late_recording(seed: int) -> Samples:
    """A minute of something else, and then the world with the camera's picture."""
    noise = pink_noise(BEFORE_S * RATE, np.random.default_rng(seed)) * np.float32(0.03)
    return np.concatenate([noise, heard(Fraction(0), SECONDS)])


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_tags_that_are_right_leave_less_to_listen_to(
    tmp_path: Path, timed: MediaInfo, short_is_long: type[CountingCrew], name: str
) -> None:
    """Of a long recording that can be sought only the moments of the camera are decoded."""
    audio = make_audio(tmp_path / name, samples=late_recording(5))
    (info,) = probe_files([str(audio)])
    decoded_s = {}
    for said_s in (None, -BEFORE_S + 1.0, -BEFORE_S + 31.0):
        short_is_long.total_s = 0.0
        recorder = replace(info, metadata={}) if said_s is None else told(info, said_s)
        found = align_files(timed, recorder, ffmpeg=Ffmpeg(FFMPEGS["wheel"]), cores=2)
        lined_up(found, -BEFORE_S)
        (piece,) = found.pieces
        assert piece.audio_end_s == pytest.approx(BEFORE_S + SECONDS, abs=0.3)
        decoded_s[said_s] = short_is_long.total_s
    (unknown, right, wrong) = decoded_s.values()
    assert wrong >= unknown
    assert right < (0.45 if name == "a.wav" else 1.01) * unknown


def test_tags_that_are_wrong_by_a_bar_of_a_loop_choose_no_place(
    tmp_path: Path, timed: MediaInfo, short_is_long: type[CountingCrew]
) -> None:
    """What repeats itself fits where the tags say as well as anywhere else."""
    bar = heard(Fraction(0), 4)
    video = replace(timed, path=str(tmp_path / "loop.mov"))
    made = camera_file(tmp_path / "made.mp4", audio=np.tile(bar, 3))
    run_ffmpeg("-i", made, "-c", "copy", "-timecode", "10:00:00:00", video.path)
    audio = make_audio(tmp_path / "a.wav", samples=np.tile(bar, 12))
    (video, info) = probe_files([video.path, str(audio)])
    for said_s in (-16.0,):
        found = align_files(video, told(info, said_s), ffmpeg=Ffmpeg(FFMPEGS["wheel"]), cores=2)
        assert (found.verdict, found.reason) == (Verdict.UNCERTAIN, Doubt.AMBIGUOUS)


def test_time_code_narrows_the_search(
    tmp_path: Path, timed: MediaInfo, short_is_long: type[CountingCrew]
) -> None:
    """A second that is wrong does not matter; a wrong minute costs time, and nothing else."""
    audio = recorder_file(tmp_path / "a.wav", OFFSETS[1])
    (info,) = probe_files([str(audio)])
    for late_s in (1, 6):
        second = told(info, -late_s)
        found = align_files(timed, second, ffmpeg=Ffmpeg(FFMPEGS["wheel"]), cores=2)
        lined_up(found, float(OFFSETS[1]))
    silent = replace(timed, audio=())
    guess = align_files(silent, second, ffmpeg=Ffmpeg(FFMPEGS["wheel"]), cores=2)
    assert (guess.verdict, guess.reason) == (Verdict.UNCERTAIN, Doubt.NO_AUDIO)
    assert guess.offset_s is not None
    assert abs(guess.offset_s + 6) <= 2  # what is seen and heard at once, as near as that
